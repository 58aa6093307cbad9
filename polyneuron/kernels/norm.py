"""Batch norm, an optional residual and an activation function in one operator.

    y = f(weight (z - mean) / sqrt(variance + eps) + bias + residual)

Of tensors of full size only z and the residual are saved, which the layers before have saved
anyway.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.kernels import cpu, reference
from polyneuron.kernels.cpu import BatchNorm
from polyneuron.kernels.functions import Function
from polyneuron.kernels.operators import is_eager, wide_dtype


def supported(function: Function, z: Tensor, parameters: Sequence[Tensor]) -> bool:
    """Whether `normalise_and_apply` has a kernel for z (N, C, H, W) and these parameters."""
    return (
        is_eager(z)
        and z.ndim == 4
        and z.numel() > z.shape[1]  # else a variance of one value, which torch refuses
        and all(parameter.dtype == torch.float32 for parameter in parameters)
        and (not parameters or parameters[0].shape[0] in (1, z.shape[1]))
        and cpu.norm_kernels(function, z, parameters) is not None
    )


def normalise_and_apply(
    function: Function,
    z: Tensor,
    residual: Tensor | None,
    norm: BatchNorm,
    parameters: Sequence[Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise z (N, C, H, W), add the residual of its shape, apply the function.

    Args:
        function: `supported` with z and its parameters.
        z: what is normalised.
        residual: what is added before the function, if anything.
        norm: in training, its mean and variance are ignored.
        parameters: of the function, (1, ...) or (C, ...) each.

    Returns:
        y in z's dtype and memory format; mean and variance (divided by n) that normalised it.
    """
    if residual is not None:
        residual = cpu.like(residual, z)
    if norm.training:
        found = torch.empty(2, z.shape[1], device=z.device)
        norm = replace(norm, mean=found[0], variance=found[1])
    y: Tensor = _NormaliseAndApply.apply(
        function, norm, z, residual, norm.weight, norm.bias, *parameters
    )
    return y, norm.mean, norm.variance


class _NormaliseAndApply(torch.autograd.Function):
    @staticmethod
    def forward(ctx, function, norm, z, residual, weight, bias, *parameters):  # type: ignore[no-untyped-def]
        parameters = [parameter.contiguous() for parameter in parameters]
        kernels = cpu.norm_kernels(function, z, parameters)
        y, sound = cpu.norm_forward(kernels, z, residual, norm, parameters)
        if not sound:  # the plain formula says why
            _plain(function, norm)(z, residual, weight, bias, *parameters)
        ctx.function, ctx.norm = function, norm
        ctx.save_for_backward(z, residual, weight, bias, norm.mean, norm.variance, *parameters)
        return y

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        z, residual, weight, bias, mean, variance, *parameters = ctx.saved_tensors
        if torch.is_grad_enabled():
            plain = _plain(ctx.function, ctx.norm)
            inputs = (z, residual, weight, bias, *parameters)
            return None, None, *reference.gradients(plain, inputs, g)
        kernels = cpu.norm_kernels(ctx.function, z, parameters)
        norm = replace(ctx.norm, weight=weight, bias=bias, mean=mean, variance=variance)
        return None, None, *cpu.norm_backward(kernels, g, z, residual, norm, parameters)


def _plain(function: Function, norm: BatchNorm) -> Callable[..., Tensor]:
    """The formula as it reads, of z, residual, weight, bias and the function's parameters."""
    mean, variance = (None, None) if norm.training else (norm.mean, norm.variance)

    def plain(
        z: Tensor, residual: Tensor | None, weight: Tensor, bias: Tensor, *parameters: Tensor
    ) -> Tensor:
        wide = z.to(wide_dtype(z))
        u = F.batch_norm(wide, mean, variance, weight, bias, norm.training, 0.0, norm.eps)
        u = u if residual is None else u + residual
        return function.plain(u, *parameters).to(z.dtype)

    return plain
