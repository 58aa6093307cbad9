"""Batch norm, an optional residual and an activation function in one operator.

    y = f(weight (z - mean) / sqrt(variance + eps) + bias + residual)

Of tensors of full size only z and the residual are saved, which the layers before have saved
anyway.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.kernels import cpu, cuda, reference
from polyneuron.kernels.cpu import BatchNorm
from polyneuron.kernels.functions import Function
from polyneuron.kernels.operators import is_eager, wide_dtype


def supported(
    function: Function,
    z: Tensor,
    residual: Tensor | None,
    parameters: Sequence[Tensor],
    training: bool,
) -> bool:
    """Whether `normalise_and_apply` has a kernel for z (N, C, H, W) and these parameters."""
    return (
        is_eager(z)
        and z.ndim == 4
        and z.numel() > z.shape[1]  # else a variance of one value, which torch refuses
        and all(parameter.dtype == torch.float32 for parameter in parameters)
        and (not parameters or parameters[0].shape[0] in (1, z.shape[1]))
        and (
            cpu.norm_kernels(function, z, parameters) is not None
            or cuda.norm_available(function, z, residual, parameters, training)
        )
    )


def normalise_and_apply(
    function: Function,
    z: Tensor,
    residual: Tensor | None,
    norm: BatchNorm,
    parameters: Sequence[Tensor],
) -> Tensor:
    """Normalise z (N, C, H, W), add the residual of its shape, apply the function.

    In training the running statistics take in the batch's, as torch's batch norm has it.

    Args:
        function: `supported` with z and its parameters.
        z: what is normalised.
        residual: what is added before the function, if anything.
        norm: the batch norm.
        parameters: of the function, (1, ...) or (C, ...) each.

    Returns:
        y in z's dtype and memory format.
    """
    if residual is not None:
        residual = cpu.like(residual, z)
    y: Tensor = _NormaliseAndApply.apply(
        function, norm, z, residual, norm.weight, norm.bias, *parameters
    )
    return y


class _NormaliseAndApply(torch.autograd.Function):
    @staticmethod
    def forward(ctx, function, norm, z, residual, weight, bias, *parameters):  # type: ignore[no-untyped-def]
        parameters = [parameter.contiguous() for parameter in parameters]
        kernels = cpu.norm_kernels(function, z, parameters)
        if kernels is None:
            y, statistics = cuda.norm_forward(function, z, residual, norm, parameters)
        else:
            if norm.training:
                statistics = torch.empty(2, z.shape[1])
            else:
                statistics = torch.stack([norm.running_mean, norm.running_variance])
            y, sound = cpu.norm_forward(kernels, z, residual, norm, statistics, parameters)
            if not sound:  # the plain formula says why
                _plain(function, norm, *statistics)(z, residual, weight, bias, *parameters)
        if norm.training:  # autograd does not see what a kernel writes
            torch.autograd.graph.increment_version((norm.running_mean, norm.running_variance))
        ctx.function, ctx.norm = function, norm
        ctx.save_for_backward(z, residual, weight, bias, statistics, *parameters)
        return y

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        z, residual, weight, bias, statistics, *parameters = ctx.saved_tensors
        function, norm = ctx.function, ctx.norm
        kernels = cpu.norm_kernels(function, z, parameters)
        if torch.is_grad_enabled():
            mean, spread = statistics
            variance = spread if kernels is not None else spread.pow(-2) - norm.eps
            inputs = (z, residual, weight, bias, *parameters)
            plain = _plain(function, norm, mean, variance)
            return None, None, *reference.gradients(plain, inputs, g)
        if kernels is None:
            gradients = cuda.norm_backward(function, g, z, residual, norm, statistics, parameters)
        else:
            gradients = cpu.norm_backward(kernels, g, z, residual, norm, statistics, parameters)
        return None, None, *gradients


def _plain(
    function: Function, norm: BatchNorm, mean: Tensor, variance: Tensor
) -> Callable[..., Tensor]:
    """The formula as it reads, of z, residual, weight, bias and the function's parameters."""
    means, variances = (None, None) if norm.training else (mean, variance)

    def plain(
        z: Tensor, residual: Tensor | None, weight: Tensor, bias: Tensor, *parameters: Tensor
    ) -> Tensor:
        wide = z.to(wide_dtype(z))
        u = F.batch_norm(wide, means, variances, weight, bias, norm.training, 0.0, norm.eps)
        u = u if residual is None else u + residual
        return function.plain(u, *parameters).to(z.dtype)

    return plain
