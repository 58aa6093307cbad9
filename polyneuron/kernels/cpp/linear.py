"""Compiled linear layers of small networks: y = x W^T + b and its gradients."""

import ctypes
import functools

import torch
from torch import Tensor

from polyneuron.kernels.cpp.compiler import library

FEWEST_PRODUCTS_A_THREAD = 2**19
"""Multiplications below which a second thread costs more than it saves."""

_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int


@functools.cache
def linear_library() -> ctypes.CDLL | None:
    """The library of linear layers, or None where none can be compiled."""
    found = library("linear.cpp", STORAGE="Float32")
    if found is not None:
        found.linear_forward.argtypes = (*4 * (_POINTER,), *3 * (_SIZE,), _INT)
        found.linear_forward.restype = None
        found.linear_backward.argtypes = (*6 * (_POINTER,), *3 * (_SIZE,), _INT)
        found.linear_backward.restype = None
    return found


def linear_forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Values (N, out) at x (N, in); x and weight (out, in) are float32 without gaps in memory."""
    kernels = linear_library()
    assert kernels is not None
    out, inputs = weight.shape
    y = x.new_empty((len(x), out))
    kernels.linear_forward(
        x.data_ptr(),
        weight.data_ptr(),
        bias.data_ptr(),
        y.data_ptr(),
        len(x),
        inputs,
        out,
        _threads(len(x) * weight.numel()),
    )
    return y


def linear_backward(
    g: Tensor, x: Tensor, weight: Tensor, with_x: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of x (if it is asked for), weight and bias from g = dL/dy (N, out)."""
    kernels = linear_library()
    assert kernels is not None
    out, inputs = weight.shape
    g_x = torch.empty_like(x) if with_x else None
    g_weight, g_bias = torch.empty_like(weight), weight.new_empty(out)
    kernels.linear_backward(
        g.data_ptr(),
        x.data_ptr(),
        weight.data_ptr(),
        None if g_x is None else g_x.data_ptr(),
        g_weight.data_ptr(),
        g_bias.data_ptr(),
        len(x),
        inputs,
        out,
        _threads(len(x) * weight.numel()),
    )
    return g_x, g_weight, g_bias


def _threads(products: int) -> int:
    return min(torch.get_num_threads(), max(1, products // FEWEST_PRODUCTS_A_THREAD))
