"""Layers that follow one another, computed as one where a kernel exists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.hooks import has_hooks, is_watched, watched_input
from polyneuron.kernels.cpp.stages import ConvolutionShape
from polyneuron.kernels.function import Function
from polyneuron.kernels.stages import (
    Convolution,
    Flattening,
    Linear,
    Pooling,
    Run,
    are_staged,
    has_stage,
    is_staged,
)

if TYPE_CHECKING:
    from jaxtyping import Float

MOST_CHANNELS, MOST_KERNEL, MOST_SIDE = 32, 7, 64
"""Bounds of a convolution that is compiled for its shape. Torch's own are good at larger ones."""

MOST_FEATURES = 512
"""Of a linear layer. Torch's own is good at larger ones."""

Kernel = tuple[Function, tuple[Tensor, ...]]
Size = tuple[int, ...]


class Chain(nn.Sequential):
    """`nn.Sequential` that computes layers which follow one another in one.

    These are convolution, activation and 2x2 max pooling, activation and pooling alone, flattening,
    and linear layers with an activation behind them. Values and gradients are those of the modules
    called one by one, up to rounding. Modules with hooks are called one by one, so that the hooks
    run.
    """

    def forward(self, x: Float[Tensor, "*x"]) -> Float[Tensor, "*y"]:
        """Apply the modules, one after the other."""
        layers, at = list(self), 0
        while at < len(layers):
            run = Run()
            length = _gather(run, x, layers[at:])
            if length:
                x = run(x)
            elif (values := _watched_values(x, layers[at : at + 3])) is not None:
                x, length = values, 1
            elif is_watched(layers[at]) and at + 1 < len(layers) and _halves(layers[at + 1]):
                x, length = pooled_activation(layers[at], layers[at + 1], x), 2
            else:
                x, length = layers[at](x), 1
            at += length
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
    watched = is_watched(activation)
    seen = watched_input(activation, x) if watched else x
    run = Run()
    if is_staged(seen) and _pooled(run, tuple(seen.shape), [activation, pool], watched) is not None:
        return run(seen)
    y = pool(activation.forward(seen) if watched else activation(x))
    assert isinstance(y, Tensor)
    return y


def _gather(run: Run, x: Tensor, layers: Sequence[nn.Module]) -> int:
    """Add stages to a run, and return how many of the first layers they compute."""
    if not is_staged(x):  # tracers follow the modules
        return 0
    size: Size = tuple(x.shape)
    at = 0
    while at < len(layers):
        for length, add in ((3, _convolved), (2, _pooled), (2, _linear), (1, _linear)):
            group = layers[at : at + length]
            found = add(run, size, group) if len(group) == length else None
            if found is not None:
                break
        else:
            length = 1
            # Alone it is no work, and first in a run it would save nothing.
            found = _flattened(run, size, layers[at]) if at else None
            if found is None:
                break
        size, at = found, at + length
    return at


def _convolved(run: Run, size: Size, layers: Sequence[nn.Module]) -> Size | None:
    found = _convolution(size, layers)
    if found is None:
        return None
    stage, tensors = found
    run.add(stage, *tensors)
    height, width = stage.shape.sides
    return size[0], stage.shape.outputs, height // 2, width // 2


def _watched_values(x: Tensor, layers: Sequence[nn.Module]) -> Tensor | None:
    """Compute what hooks on an activation see behind the convolution before it.

    None where no kernel does so without gradients.
    """
    if len(layers) < 3 or not is_watched(layers[1]) or torch.is_grad_enabled():
        return None
    found = _convolution(tuple(x.shape), layers, watched=True) if is_staged(x) else None
    if found is None:
        return None
    stage, tensors = found
    return stage.values(x, tensors)


def _convolution(
    size: Size, layers: Sequence[nn.Module], watched: bool = False
) -> tuple[Convolution, list[Tensor]] | None:
    """Return the stage of convolution, activation and pooling with its tensors, if there is one.

    `watched`: hooks that look at the activation's input are no hindrance.
    """
    convolution, activation, pool = layers
    # A subclass may compute something else.
    if type(convolution) is not nn.Conv2d or len(size) != 4 or has_hooks(convolution):
        return None
    shape = _shape(convolution, size)
    kernel = None if shape is None else _kernel(activation, pool, watched)
    if shape is None or kernel is None:
        return None
    function, parameters = kernel
    weight, bias = convolution.weight, convolution.bias
    if bias is None or not are_staged(weight, bias):
        return None
    if not has_stage("stage", function, shape.outputs, parameters, shape):
        return None
    return Convolution(function, shape), [weight, bias, *parameters]


def _pooled(
    run: Run, size: Size, layers: Sequence[nn.Module], watched: bool = False
) -> Size | None:
    # Without a window torch raises an error.
    activation, pool = layers
    kernel = _kernel(activation, pool, watched) if len(size) == 4 and min(size[2:]) > 1 else None
    if kernel is None:
        return None
    function, parameters = kernel
    if not has_stage("stage", function, size[1], parameters):
        return None
    run.add(Pooling(function), *parameters)
    return *size[:2], size[2] // 2, size[3] // 2


def _linear(run: Run, size: Size, layers: Sequence[nn.Module]) -> Size | None:
    linear, *activation = layers
    if type(linear) is not nn.Linear or has_hooks(linear) or len(size) != 2:
        return None
    features, outputs = linear.in_features, linear.out_features
    if size[1] != features or max(features, outputs) > MOST_FEATURES:
        return None
    weight, bias = linear.weight, linear.bias
    if bias is None or not are_staged(weight, bias):
        return None
    function: Function | None = None
    parameters: tuple[Tensor, ...] = ()
    if activation:
        if not isinstance(activation[0], Activation) or has_hooks(activation[0]):
            return None
        kernel = activation[0].kernel()
        if kernel is None:
            return None
        function, parameters = kernel
    if not has_stage("linear", function, outputs, parameters):
        return None
    run.add(Linear(function), weight, bias, *parameters)
    return size[0], outputs


def _flattened(run: Run, size: Size, layer: nn.Module) -> Size | None:
    if type(layer) is not nn.Flatten or (layer.start_dim, layer.end_dim) != (1, -1):
        return None
    if has_hooks(layer) or len(size) < 3 or not has_stage("linear", None, 0, ()):
        return None
    run.add(Flattening(size[1:]))
    return size[0], math.prod(size[1:])


def _kernel(activation: nn.Module, pool: nn.Module, watched: bool = False) -> Kernel | None:
    """Return the function and its parameters if the two modules can be computed as one.

    `watched`: the activation's hooks have run.
    """
    if not isinstance(activation, Activation) or not _halves(pool) or has_hooks(pool):
        return None
    return None if has_hooks(activation) and not watched else activation.kernel()


def _halves(pool: nn.Module) -> bool:
    """Return True for a max pooling of 2x2 windows, side by side, and nothing else."""
    if type(pool) is not nn.MaxPool2d or pool.ceil_mode or pool.return_indices:
        return False
    settings = (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
    return tuple(map(_both, settings)) == ((2, 2), (2, 2), (0, 0), (1, 1))


def _both(setting: int | tuple[int, ...]) -> tuple[int, ...]:
    return (setting, setting) if isinstance(setting, int) else tuple(setting)


def _shape(convolution: nn.Conv2d, size: Size) -> ConvolutionShape | None:
    kernel, padding = convolution.kernel_size, convolution.padding
    plain = (convolution.stride, convolution.dilation) == ((1, 1), (1, 1))
    if not (
        plain
        and convolution.groups == 1
        and convolution.padding_mode == "zeros"
        and not isinstance(padding, str)
        and kernel[0] == kernel[1] <= MOST_KERNEL
        and padding[0] == padding[1]
        and size[1] == convolution.in_channels
        and max(size[1], convolution.out_channels) <= MOST_CHANNELS
        and max(size[2:]) <= MOST_SIDE
        and min(size[2:]) + 2 * padding[0] > kernel[0]
    ):
        return None
    return ConvolutionShape(
        size[1], convolution.out_channels, kernel[0], int(padding[0]), *size[2:]
    )
