"""Scope: which elements of a tensor share one of the A activation functions of a layer.

`channels` names it throughout: None is one function a layer (A = 1), an int C one a channel of
(N, C, ...), and a tuple one a neuron, that is one for each element of a sample of that shape.
"""

import math

import torch
from torch import Tensor

Channels = int | tuple[int, ...] | None


def functions_in(channels: Channels) -> int:
    """A, the number of activation functions that `channels` asks for.

    Raises:
        ValueError: `channels` is not None, a positive int, or a tuple of positive ints.
    """
    sizes = channels if isinstance(channels, tuple) else (channels,)
    if channels is None:
        return 1
    if not sizes or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in sizes):
        raise ValueError(
            "channels must be None (one function a layer), a positive int (one a channel) or a"
            f" tuple of positive ints (one a neuron), got {channels!r}"
        )
    return math.prod(n for n in sizes if n is not None)


def check_input(x: Tensor, channels: Channels) -> None:
    """Refuse an input that does not fit `channels`.

    Raises:
        ValueError: x is not of a floating type, or its shape does not match.
    """
    if not x.is_floating_point():
        raise ValueError(f"x must have a floating-point dtype, got {x.dtype}")
    if isinstance(channels, int) and (x.ndim < 2 or x.shape[1] != channels):
        raise ValueError(
            f"x must be (N, {channels}, ...) for an activation with channels={channels},"
            f" got shape {tuple(x.shape)}"
        )
    if isinstance(channels, tuple) and tuple(x.shape[1:]) != channels:
        raise ValueError(
            f"x must be (N, {', '.join(map(str, channels))}) for an activation with one function a"
            f" neuron, got shape {tuple(x.shape)}"
        )


def spread(parameter: Tensor, x: Tensor) -> Tensor:
    """Shape a parameter (A,) so that it broadcasts over x, in x's dtype.

    A = 1 fits any x, A = C fits (N, C, ...), and A = the elements of a sample fits (N, ...).

    Raises:
        ValueError: A is none of these.
    """
    return parameter.to(x.dtype).reshape(broadcast_shape(parameter.shape[0], x.shape))


def broadcast_shape(functions: int, shape: torch.Size) -> tuple[int, ...]:
    """Shape in which A values, one a function, broadcast over a tensor of this shape."""
    if functions == 1:
        return (1,) * len(shape)
    if len(shape) >= 2 and shape[1] == functions:
        return (functions,) + (1,) * (len(shape) - 2)
    if len(shape) >= 2 and math.prod(shape[1:]) == functions:
        return tuple(shape[1:])
    raise ValueError(
        f"x of shape {tuple(shape)} does not fit A = {functions} activation functions:"
        f" expected (N, {functions}, ...), or {functions} elements in a sample"
    )


def sum_by_function(values: Tensor, functions: int) -> Tensor:
    """Sum (A,) of the elements that belong to each function; the adjoint of `spread`."""
    shape = broadcast_shape(functions, values.shape)
    return values.sum_to_size(shape).reshape(functions)


def extremes_by_function(x: Tensor, functions: int) -> tuple[Tensor, Tensor]:
    """Least and largest (A,) of the elements that belong to each function, in x's dtype."""
    shape = broadcast_shape(functions, x.shape)
    shared = x.ndim - len(shape)
    dims = [i for i in range(x.ndim) if i < shared or shape[i - shared] == 1]
    return x.amin(dims).reshape(functions), x.amax(dims).reshape(functions)
