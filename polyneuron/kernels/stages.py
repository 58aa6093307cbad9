"""Stages as autograd Functions: [convolution,] activation and 2x2 max pooling in one.

    y = max over each 2x2 window of f(x)        or of f(x * weight + bias)

The maximum is taken over values, as f need not be monotone, with torch's rules for equal values and
NaN. Kept for the backward pass are the x that each window selected and one byte that says which.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.kernels.backend import Case
from polyneuron.kernels.choice import backend_for
from polyneuron.kernels.cpp import backend as cpp
from polyneuron.kernels.cpp import stages
from polyneuron.kernels.cpp.stages import ConvolutionShape
from polyneuron.kernels.function import Function
from polyneuron.kernels.plain import gradients
from polyneuron.kernels.tracing import is_eager


def has_stage(
    function: Function,
    x: Tensor,
    channels: int,
    parameters: Sequence[Tensor],
    shape: ConvolutionShape | None = None,
) -> bool:
    """True if there are kernels for images x (N, C, H, W) and a function of so many channels."""
    if not (
        is_eager(x)
        and x.ndim == 4
        and x.dtype is torch.float32
        and min(x.shape) > 0
        and min(x.shape[2:]) > 1  # else there is no window, which torch refuses
        and not torch.is_autocast_enabled(x.device.type)
        and all(parameter.dtype is torch.float32 for parameter in parameters)
        and (not parameters or parameters[0].shape[0] in (1, channels))
    ):
        return False
    columns = parameters[0].shape[-1] if parameters else 0
    case = Case("stage", function, columns, x.dtype, x.device, convolution=shape)
    return backend_for(case) is cpp


def pool_values(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Values of a function at x (N, C, H, W), the largest of each 2x2 window."""
    y: Tensor = _Stage.apply(function, None, x, None, None, *parameters)
    return y


def convolve_and_pool(
    function: Function,
    shape: ConvolutionShape,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    parameters: Sequence[Tensor],
) -> Tensor:
    """As `pool_values`, with a convolution before the function."""
    y: Tensor = _Stage.apply(function, shape, x, weight, bias, *parameters)
    return y


class _Stage(torch.autograd.Function):
    @staticmethod
    def forward(ctx, function, shape, x, weight, bias, *parameters):  # type: ignore[no-untyped-def]
        rows = [parameter.contiguous() for parameter in parameters]
        if shape is None:
            x = x if x.is_contiguous(memory_format=torch.channels_last) else x.contiguous()
            y, kept, which, sound = stages.pooled_forward(function, x, rows)
        else:
            x = x.contiguous(memory_format=torch.channels_last)
            y, kept, which, sound = stages.convolved_forward(function, shape, x, weight, bias, rows)
        if not sound:  # the plain formula raises an error that names the function
            _formula(function, shape)(x, weight, bias, *rows)
        ctx.function, ctx.shape = function, shape
        ctx.save_for_backward(x, weight, bias, kept, which, *rows)
        return y

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        x, weight, bias, kept, which, *parameters = ctx.saved_tensors
        function, shape = ctx.function, ctx.shape
        if torch.is_grad_enabled():
            inputs = (x, weight, bias, *parameters)
            return None, None, *gradients(_formula(function, shape), inputs, g)
        g_kept, by_parameters = cpp.backward(function, g, kept, parameters)
        if shape is None:
            g_x = stages.pooled_backward(function, parameters, x, g_kept, which)
            return None, None, g_x, None, None, *by_parameters
        with_x = ctx.needs_input_grad[2]
        found = stages.convolved_backward(shape, x, weight, g_kept, which, with_x)
        return None, None, *found, *by_parameters


def _formula(function: Function, shape: ConvolutionShape | None):  # type: ignore[no-untyped-def]
    def formula(x: Tensor, weight: Tensor | None, bias: Tensor | None, *rows: Tensor) -> Tensor:
        if shape is not None:
            assert weight is not None
            x = F.conv2d(x, weight, bias, padding=shape.padding)
        return F.max_pool2d(function.plain(x, *rows), 2)

    return formula
