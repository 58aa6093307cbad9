"""Eq. 4's means over the functions of a network, each in one call of compiled code."""

import ctypes
import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from polyneuron.kernels.choice import computes_in_cpp
from polyneuron.kernels.cpp.backend import pointers
from polyneuron.kernels.cpp.compiler import library
from polyneuron.kernels.plain import gradients
from polyneuron.kernels.tracing import is_eager

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64
_LAYERS = (*3 * (_POINTER,), _SIZE)


@functools.cache
def _library() -> ctypes.CDLL | None:
    found = library("penalties.cpp")
    if found is not None:
        found.penalty.argtypes = _LAYERS
        found.penalty.restype = ctypes.c_float
        found.penalty_backward.argtypes = (
            *_LAYERS,
            ctypes.c_float,
            ctypes.c_bool,
            *2 * (_POINTER,),
        )
        found.penalty_backward.restype = None
    return found


def mean_of_sums(w: Sequence[Tensor], c_x: Sequence[Tensor] = ()) -> Tensor:
    """Mean of |sum_i w_i|, or of |sum_i w_i c_i|, over all functions of all layers, float32.

    Args:
        w: (A, s) of each layer, at least one.
        c_x: likewise, for the second mean; else empty.
    """
    tensors = *w, *c_x
    if not are_compiled(tensors):
        return formula(len(w), *tensors)
    mean: Tensor = _Mean.apply(len(w), *tensors)
    return mean


def are_compiled(tensors: Sequence[Tensor]) -> bool:
    """True if compiled code can read these w and c_x."""
    return (
        all(one.is_cpu and one.dtype is torch.float32 for one in tensors)
        and all(map(is_eager, tensors[:1]))
        and computes_in_cpp()
        and _library() is not None
    )


def add_gradients(g: float, w: Sequence[Tensor], c_x: Sequence[Tensor] = ()) -> bool:
    """Add the gradients of g times a mean of `mean_of_sums` to those that its parameters have.

    Returns:
        False, and nothing is done, if a parameter is not for compiled code or has no gradient.
    """
    parameters = [*w, *c_x]
    found = [one.grad for one in parameters if one.grad is not None]
    ready = len(found) == len(parameters) and are_compiled(parameters)
    if not ready or not all(one.is_contiguous() for one in (*parameters, *found)):
        return False
    kernels = _library()
    assert kernels is not None
    g_w, g_c = _halves(len(w), found)
    kernels.penalty_backward(*_layers(len(w), parameters), g, True, g_w, g_c)
    return True


def formula(layers: int, *tensors: Tensor) -> Tensor:
    """The same in torch's own operators, from w of so many layers, and c_x or nothing."""
    by_s: dict[int, list[tuple[Tensor, ...]]] = {}
    # Layers of one s are one tensor: a few kernels per step instead of a few per layer.
    for i, w in enumerate(tensors[:layers]):
        by_s.setdefault(w.shape[1], []).append((w, *tensors[layers + i : layers + i + 1]))
    sums = []
    for group in by_s.values():
        w, *c_x = (torch.cat(rows).float() for rows in zip(*group, strict=True))
        sums.append((w * c_x[0] if c_x else w).sum(1).abs())
    return torch.cat(sums).mean()


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx, layers, *tensors):  # type: ignore[no-untyped-def]
        dense = [tensor.contiguous() for tensor in tensors]
        ctx.layers = layers
        ctx.save_for_backward(*dense)
        kernels = _library()
        assert kernels is not None
        return torch.tensor(kernels.penalty(*_layers(layers, dense)))

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        tensors, layers = ctx.saved_tensors, ctx.layers
        if torch.is_grad_enabled():
            return None, *gradients(lambda *each: formula(layers, *each), tensors, g)
        kernels = _library()
        assert kernels is not None
        found = [torch.empty_like(tensor) for tensor in tensors]
        g_w, g_c = _halves(layers, found)
        kernels.penalty_backward(*_layers(layers, tensors), g.item(), False, g_w, g_c)
        return None, *found


def _layers(layers: int, tensors: Sequence[Tensor]) -> tuple[object, ...]:
    sizes = [size for w in tensors[:layers] for size in w.shape]
    return *_halves(layers, tensors), (_SIZE * len(sizes))(*sizes), layers


def _halves(layers: int, tensors: Sequence[Tensor]) -> tuple[object, object]:
    """Return the addresses of those of w, and of those of c_x or None."""
    rest = tensors[layers:]
    return pointers(tensors[:layers]), pointers(rest) if rest else None
