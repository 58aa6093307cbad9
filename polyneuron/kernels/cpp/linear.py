"""Compiled linear layers of small networks: y = x W^T + b, its gradients, and images as rows."""

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
        found.turn_images.argtypes = (*2 * (_POINTER,), *3 * (_SIZE,))
        found.turn_images.restype = None
        found.linear_forward.argtypes = (*4 * (_POINTER,), *3 * (_SIZE,), _INT)
        found.linear_forward.restype = None
        found.linear_backward.argtypes = (*6 * (_POINTER,), *3 * (_SIZE,), _INT)
        found.linear_backward.restype = None
    return found


def flattened(x: Tensor) -> Tensor:
    """Rows (N, C H W) of images (N, C, H, W), float32 and channels-last."""
    n, channels, height, width = x.shape
    y = x.new_empty((n, channels * height * width))
    _turn(x, y, n, height * width, channels)
    return y


def unflattened(g: Tensor, size: tuple[int, ...]) -> Tensor:
    """Channels-last images (N, C, H, W) of rows (N, C H W) without gaps; size is (C, H, W)."""
    n, (channels, height, width) = g.shape[0], size
    g_x = torch.empty((n, *size), memory_format=torch.channels_last)
    _turn(g, g_x, n, channels, height * width)
    return g_x


def _turn(x: Tensor, y: Tensor, n: int, rows: int, columns: int) -> None:
    kernels = linear_library()
    assert kernels is not None
    kernels.turn_images(x.data_ptr(), y.data_ptr(), n, rows, columns)


def linear_forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Values (N, out) at x (N, in); x and weight (out, in) are float32 without gaps in memory."""
    kernels = linear_library()
    assert kernels is not None
    out, inputs = weight.shape
    y = x.new_empty((x.shape[0], out))
    kernels.linear_forward(
        x.data_ptr(),
        weight.data_ptr(),
        bias.data_ptr(),
        y.data_ptr(),
        x.shape[0],
        inputs,
        out,
        _threads(x.shape[0] * weight.numel()),
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
        x.shape[0],
        inputs,
        out,
        _threads(x.shape[0] * weight.numel()),
    )
    return g_x, g_weight, g_bias


def _threads(products: int) -> int:
    return min(torch.get_num_threads(), max(1, products // FEWEST_PRODUCTS_A_THREAD))
