"""Layers that follow one another, computed as one where a kernel exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.hooks import has_hooks
from polyneuron.kernels.cpp.stages import ConvolutionShape
from polyneuron.kernels.stages import convolve_and_pool, has_stage, pool_values
from polyneuron.kernels.tracing import is_eager

if TYPE_CHECKING:
    from jaxtyping import Float

MOST_CHANNELS, MOST_KERNEL, MOST_SIDE = 32, 7, 64
"""Bounds of a convolution that is compiled for its shape. Torch's own are good at larger ones."""


class Chain(nn.Sequential):
    """`nn.Sequential` that computes [convolution,] activation and 2x2 max pooling in one.

    Values and gradients are those of the modules called one by one, up to rounding. Modules with
    hooks are called one by one, so that the hooks run.
    """

    def forward(self, x: Float[Tensor, "*x"]) -> Float[Tensor, "*y"]:
        """Apply the modules, one after the other."""
        if not is_eager(x):  # tracers follow the modules
            for layer in self:
                x = layer(x)
            return x
        layers = list(self)
        while layers:
            for length, stage in ((3, _convolved), (2, _pooled)):
                y = stage(x, *layers[:length]) if len(layers) >= length else None
                if y is not None:
                    break
            else:
                length, y = 1, layers[0](x)
            assert y is not None
            x, layers = y, layers[length:]
        return x


def pooled_activation(
    activation: nn.Module, pool: nn.Module, x: Float[Tensor, "N C H W"]
) -> Float[Tensor, "N C h w"]:
    """Compute `pool(activation(x))`, in one pass where a kernel exists.

    Args:
        activation: applied to x.
        pool: a pooling of its values; `nn.MaxPool2d(2)` has kernels.
        x: (N, C, H, W).
    """
    y = _pooled(x, activation, pool)
    if y is not None:
        return y
    y = pool(activation(x))
    assert isinstance(y, Tensor)
    return y


def _pooled(x: Tensor, activation: nn.Module, pool: nn.Module) -> Tensor | None:
    kernel = _kernel(activation, pool)
    if kernel is None or x.ndim != 4:
        return None
    function, parameters = kernel
    if not has_stage(function, x, x.shape[1], parameters):
        return None
    return pool_values(function, x, parameters)


def _convolved(
    x: Tensor, convolution: nn.Module, activation: nn.Module, pool: nn.Module
) -> Tensor | None:
    # A subclass may compute something else.
    if type(convolution) is not nn.Conv2d or x.ndim != 4 or has_hooks(convolution):
        return None
    shape = _shape(convolution, x)
    kernel = None if shape is None else _kernel(activation, pool)
    if shape is None or kernel is None or convolution.weight.dtype is not torch.float32:
        return None
    function, parameters = kernel
    if convolution.bias is None or not has_stage(function, x, shape.outputs, parameters, shape):
        return None
    return convolve_and_pool(function, shape, x, convolution.weight, convolution.bias, parameters)


def _kernel(activation: nn.Module, pool: nn.Module):  # type: ignore[no-untyped-def]
    """Return the function and its parameters if the two modules can be computed as one."""
    if not isinstance(activation, Activation) or not _halves(pool):
        return None
    return None if has_hooks(activation) or has_hooks(pool) else activation.kernel()


def _halves(pool: nn.Module) -> bool:
    """Return True for a max pooling of 2x2 windows, side by side, and nothing else."""
    if type(pool) is not nn.MaxPool2d or pool.ceil_mode or pool.return_indices:
        return False
    settings = (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
    return tuple(map(_both, settings)) == ((2, 2), (2, 2), (0, 0), (1, 1))


def _both(setting: int | tuple[int, ...]) -> tuple[int, ...]:
    return (setting, setting) if isinstance(setting, int) else tuple(setting)


def _shape(convolution: nn.Conv2d, x: Tensor) -> ConvolutionShape | None:
    kernel, padding = convolution.kernel_size, convolution.padding
    plain = (convolution.stride, convolution.dilation) == ((1, 1), (1, 1))
    if not (
        plain
        and convolution.groups == 1
        and convolution.padding_mode == "zeros"
        and not isinstance(padding, str)
        and kernel[0] == kernel[1] <= MOST_KERNEL
        and padding[0] == padding[1]
        and x.shape[1] == convolution.in_channels
        and max(x.shape[1], convolution.out_channels) <= MOST_CHANNELS
        and max(x.shape[2:]) <= MOST_SIDE
        and min(x.shape[2:]) + 2 * padding[0] > kernel[0]
    ):
        return None
    return ConvolutionShape(
        x.shape[1], convolution.out_channels, kernel[0], int(padding[0]), *x.shape[2:]
    )
