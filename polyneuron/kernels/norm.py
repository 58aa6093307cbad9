"""Batch norm, an optional residual and an activation function in one operator.

    y = f(weight (z - mean) / sqrt(variance + eps) + bias + residual)

Of tensors of full size only z and the residual are saved, which the layers before have saved
anyway.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from polyneuron.kernels import plain
from polyneuron.kernels.backend import Backend, BatchNorm, Case, Normalised
from polyneuron.kernels.choice import backend_for
from polyneuron.kernels.cpp.backend import like
from polyneuron.kernels.function import Function
from polyneuron.kernels.tracing import is_eager


def fused_backend(
    function: Function,
    z: Tensor,
    residual: Tensor | None,
    parameters: Sequence[Tensor],
    training: bool,
) -> Backend | None:
    """The backend with a kernel for z (N, C, H, W) and these parameters, or None."""
    if not (
        is_eager(z)
        and z.ndim == 4
        and z.numel() > z.shape[1]  # else a variance of one value, which torch refuses
        and all(parameter.dtype == torch.float32 for parameter in parameters)
        and (not parameters or parameters[0].shape[0] in (1, z.shape[1]))
    ):
        return None
    backend = backend_for(
        Case(
            "norm",
            function,
            parameters[0].shape[-1] if parameters else 0,
            z.dtype,
            z.device,
            shared=bool(parameters) and parameters[0].shape[0] == 1,
            channels_last=z.is_contiguous(memory_format=torch.channels_last),
            residual=residual is not None,
            training=training,
        )
    )
    # The modules one by one are faster than their formula computed again for its gradients.
    return None if backend is plain else backend


def normalise_and_apply(
    backend: Backend,
    function: Function,
    z: Tensor,
    residual: Tensor | None,
    norm: BatchNorm,
    parameters: Sequence[Tensor],
) -> Tensor:
    """Normalise z (N, C, H, W), add the residual of its shape, apply the function.

    In training the running statistics take in the batch's, as torch's batch norm has it.

    Args:
        backend: what `fused_backend` gave for the arguments that follow.
        function: what to apply.
        z: what is normalised.
        residual: what is added before the function, if anything.
        norm: the batch norm.
        parameters: of the function, (1, ...) or (C, ...) each.

    Returns:
        y in z's dtype and memory format.
    """
    if residual is not None:
        residual = like(residual, z)
    y: Tensor = _NormaliseAndApply.apply(
        backend, function, norm, z, residual, norm.weight, norm.bias, *parameters
    )
    return y


class _NormaliseAndApply(torch.autograd.Function):
    # Weight and bias are arguments as well as fields of `norm`: autograd sees arguments alone.
    @staticmethod
    def forward(ctx, backend, function, norm, z, residual, weight, bias, *parameters):  # type: ignore[no-untyped-def]
        rows = [parameter.contiguous() for parameter in parameters]
        y, statistics, sound = backend.norm_forward(Normalised(function, z, residual, norm, rows))
        if not sound:  # the plain formula raises an error that names the function
            plain.norm_formula(function, norm, statistics)(z, residual, weight, bias, *rows)
        if norm.training:  # autograd does not see what a kernel writes
            torch.autograd.graph.increment_version(norm.running)
        ctx.backend, ctx.function, ctx.norm = backend, function, norm
        ctx.save_for_backward(z, residual, weight, bias, statistics, *rows)
        return y

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        z, residual, weight, bias, statistics, *parameters = ctx.saved_tensors
        backend, function, norm = ctx.backend, ctx.function, ctx.norm
        if torch.is_grad_enabled():
            variance = backend.norm_variance(norm, statistics)
            used = torch.stack([statistics[0], variance])
            inputs = (z, residual, weight, bias, *parameters)
            formula = plain.norm_formula(function, norm, used)
            return None, None, None, *plain.gradients(formula, inputs, g)
        of = Normalised(function, z, residual, norm, parameters)
        return None, None, None, *backend.norm_backward(of, g, statistics)
