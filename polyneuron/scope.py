"""Scope: which elements of a tensor share one of the A activation functions of a layer.

The argument `channels` says the scope: None is one function per layer (A = 1), an int C one per
channel of (N, C, ...) (A = C), and a tuple one per neuron, that is one for each element of a sample
of that shape.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped

Channels = int | tuple[int, ...] | None

SCOPES = ("layer", "channel", "neuron")


def functions_in(channels: Channels) -> int:
    """Return A, the number of activation functions that `channels` asks for.

    Raises:
        ValueError: `channels` is not None, a positive int, or a tuple of positive ints.
    """
    if channels is None:
        return 1
    sizes = channels if isinstance(channels, tuple) else (channels,)
    if not sizes or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in sizes):
        raise ValueError(
            "channels must be None (one function per layer), a positive int (one per channel) or a"
            f" tuple of positive ints (one per neuron), got {channels!r}"
        )
    return math.prod(sizes)


def check_input(x: Shaped[Tensor, "*x"], channels: Channels) -> None:
    """Refuse an input that does not fit `channels`.

    Raises:
        ValueError: x has no floating-point dtype, or its shape does not fit.
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
            f"x must be (N, {', '.join(map(str, channels))}) for an activation with one function"
            f" per neuron, got shape {tuple(x.shape)}"
        )


def spread(parameter: Float[Tensor, " A"], x: Float[Tensor, "*x"]) -> Float[Tensor, "*y"]:
    """Return a parameter (A,) in a shape that broadcasts over x, and in x's dtype.

    A = 1 fits any x, A = C fits (N, C, ...), and A = the elements of a sample fits (N, ...).

    Raises:
        ValueError: A is none of these.
    """
    return parameter.to(x.dtype).reshape(broadcast_shape(parameter.shape[0], x.shape))


def broadcast_shape(functions: int, shape: torch.Size) -> tuple[int, ...]:
    """Return the shape in which A values, one for each function, broadcast over a tensor.

    Args:
        functions: A.
        shape: of the tensor.

    Raises:
        ValueError: A functions do not fit a tensor of this shape.
    """
    if functions == 1:
        return (1,) * len(shape)
    # Channels before neurons: for (N, C), where both fit, they are the same.
    if len(shape) >= 2 and shape[1] == functions:
        return (functions,) + (1,) * (len(shape) - 2)
    if len(shape) >= 2 and math.prod(shape[1:]) == functions:
        return tuple(shape[1:])
    raise ValueError(
        f"x of shape {tuple(shape)} does not fit A = {functions} activation functions:"
        f" expected (N, {functions}, ...), or {functions} elements in a sample"
    )


def sum_by_function(values: Float[Tensor, "*x"], functions: int) -> Float[Tensor, " A"]:
    """Return the sums (A,) of each function's elements; the adjoint of `spread`."""
    shape = broadcast_shape(functions, values.shape)
    return values.sum_to_size(shape).reshape(functions)


def extremes_by_function(
    x: Float[Tensor, "*x"], functions: int
) -> tuple[Float[Tensor, " A"], Float[Tensor, " A"]]:
    """Return the least and the largest (A,) of each function's elements, in x's dtype."""
    shape = broadcast_shape(functions, x.shape)
    shared = x.ndim - len(shape)
    dims = [i for i in range(x.ndim) if i < shared or shape[i - shared] == 1]
    return x.amin(dims).reshape(functions), x.amax(dims).reshape(functions)
