"""The least and the largest input of each function, in one pass over memory on a CPU."""

import ctypes
import functools

import torch
from torch import Tensor

from polyneuron.kernels.choice import computes_in_cpp
from polyneuron.kernels.cpp.backend import laid_out
from polyneuron.kernels.cpp.compiler import library
from polyneuron.kernels.plain import gradients
from polyneuron.kernels.tracing import is_eager
from polyneuron.scope import extremes_by_function

_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_WALK = (_POINTER, *3 * (_SIZE,), _INT)


@functools.cache
def _library() -> ctypes.CDLL | None:
    found = library("extremes.cpp", STORAGE="Float32")
    if found is not None:
        found.extremes.argtypes = (*_WALK, *3 * (_POINTER,))
        found.extremes.restype = None
        found.extremes_backward.argtypes = (*_WALK, *6 * (_POINTER,))
        found.extremes_backward.restype = None
    return found


def with_extremes(x: Tensor, functions: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return x, and the least and the largest (A,) of each function's elements.

    The x that is returned is for one call of `operators.apply` and for nothing else: what the
    extremes pass on is added to the gradient of that call in place. Elements that are equal to an
    extreme share its gradient, as in torch.

    Args:
        x: any shape with A = 1; (N, C, ...) with A = C or A = the elements of a sample; not empty.
        functions: A.
    """
    fast = x.is_cpu and x.dtype is torch.float32 and is_eager(x) and x.numel() > 0
    if fast and computes_in_cpp() and _library() is not None:
        found: tuple[Tensor, Tensor, Tensor] = _Extremes.apply(x, functions)
        return found
    return x, *extremes_by_function(x, functions)


class _Extremes(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, functions):  # type: ignore[no-untyped-def]
        kernels = _library()
        assert kernels is not None
        values, shape = laid_out(x, functions)
        low, high = x.new_empty(functions), x.new_empty(functions)
        counts = torch.empty(2, functions, dtype=torch.int64)
        found = low.data_ptr(), high.data_ptr(), counts.data_ptr()
        kernels.extremes(values.data_ptr(), *shape, *found)
        ctx.functions = functions
        ctx.save_for_backward(x, low, high, counts)
        return x.view_as(x), low, high

    @staticmethod
    def backward(ctx, g, g_low, g_high):  # type: ignore[no-untyped-def]
        x, low, high, counts = ctx.saved_tensors
        if torch.is_grad_enabled():

            def formula(x: Tensor) -> tuple[Tensor, ...]:
                return x.view_as(x), *extremes_by_function(x, ctx.functions)

            return *gradients(formula, (x,), (g, g_low, g_high)), None
        kernels = _library()
        assert kernels is not None
        values, shape = laid_out(x, ctx.functions)
        if g.stride() != values.stride():
            g = torch.empty_like(values).copy_(g)
        ends = [end.contiguous() for end in (low, high, counts, g_low, g_high)]
        pointers = (end.data_ptr() for end in ends)
        kernels.extremes_backward(values.data_ptr(), *shape, *pointers, g.data_ptr())
        return g, None
