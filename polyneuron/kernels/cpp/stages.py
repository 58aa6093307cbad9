"""Compiled stages: function and 2x2 max pooling in one, behind a convolution or not.

Two libraries make a stage, and meet through pointers: one of each function, one of each shape of
convolution. The function's gradients are `cpp.backend.backward` at the selected x of each window.
"""

import ctypes
import functools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from polyneuron.kernels.cpp.backend import FEWEST_A_THREAD, functions_of, pointers
from polyneuron.kernels.cpp.compiler import library
from polyneuron.kernels.function import Function

_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_IMAGES = (*4 * (_SIZE,), _INT, _INT)
_ENTRIES = ("pool_table", "pool_prepare", "pool_windows")
"""What a convolution calls, in the order of `Pool` in cpp/convolution.hpp."""


class ConvolutionShape(NamedTuple):
    """A convolution of stride 1 and the images that it takes."""

    channels: int
    outputs: int
    kernel: int
    padding: int
    height: int
    width: int

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the images that it makes."""
        less = self.kernel - 2 * self.padding - 1
        return self.height - less, self.width - less


class Selected(NamedTuple):
    """The values of a stage and what its backward pass needs of each window."""

    y: Tensor
    """(N, C, H // 2, W // 2)."""
    kept: Tensor
    """The x whose value is the largest, like y."""
    which: Tensor
    """0 to 3, row by row: the place of that x in its window, uint8 like y."""
    sound: bool
    """False if some function does not exist; its values are NaN."""

    @classmethod
    def empty(cls, shape: tuple[int, ...], memory_format: torch.memory_format) -> "Selected":
        """Return tensors to be written."""
        make = functools.partial(torch.empty, shape, memory_format=memory_format)
        return cls(make(), make(), make(dtype=torch.uint8), True)

    def pointers(self) -> tuple[int, int, int]:
        """Return the addresses of the three tensors."""
        return self.y.data_ptr(), self.kept.data_ptr(), self.which.data_ptr()


@functools.cache
def pool_library(function: Function, columns: int) -> ctypes.CDLL | None:
    """The library that pools a function's values, or None where none can be compiled."""
    header = f'"{function.family}/{function.family}.hpp"'
    found = library("pooling.cpp", FUNCTION=function.cpp(columns), HEADER=header, STORAGE="Float32")
    if found is not None:
        found.pool_forward.argtypes = (*5 * (_POINTER,), _SIZE, *_IMAGES)
        found.pool_forward.restype = ctypes.c_bool
        found.pool_backward.argtypes = (*3 * (_POINTER,), *_IMAGES)
        found.pool_backward.restype = None
    return found


@functools.cache
def _entries(pool: ctypes.CDLL) -> ctypes.Array[ctypes.c_void_p]:
    """Return the addresses of what a convolution calls."""
    found = (ctypes.cast(getattr(pool, name), _POINTER) for name in _ENTRIES)
    return (_POINTER * len(_ENTRIES))(*found)


@functools.cache
def convolution_library(shape: ConvolutionShape) -> ctypes.CDLL | None:
    """The library of a shape of convolution, or None where none can be compiled."""
    found = library("convolution.cpp", SHAPE=",".join(map(str, shape)), STORAGE="Float32")
    if found is not None:
        pointers = 5 * (_POINTER,)
        found.convolution_forward.argtypes = (*pointers, _SIZE, *4 * (_POINTER,), _SIZE, _INT)
        found.convolution_forward.restype = ctypes.c_bool
        found.convolution_values.argtypes = (*pointers, _SIZE, _INT)
        found.convolution_values.restype = None
        found.convolution_backward.argtypes = (*8 * (_POINTER,), _SIZE, _INT)
        found.convolution_backward.restype = None
    return found


def pooled_forward(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> Selected:
    """Pool the values of a function of x (N, C, H, W), float32 without gaps in memory."""
    kernels = _pool_library(function, parameters)
    n, channels, height, width = x.shape
    memory_format, *layout = _layout(x)
    found = Selected.empty((n, channels, height // 2, width // 2), memory_format)
    sound = kernels.pool_forward(
        x.data_ptr(),
        *found.pointers(),
        pointers(parameters),
        functions_of(parameters),
        *x.shape,
        *layout,
    )
    return found._replace(sound=sound)


def pooled_backward(
    function: Function, parameters: Sequence[Tensor], x: Tensor, g: Tensor, which: Tensor
) -> Tensor:
    """dL/dx from the gradient g of each window's selected x, which lies in memory as `which`."""
    kernels = _pool_library(function, parameters)
    g_x = torch.empty_like(x)
    kernels.pool_backward(g.data_ptr(), which.data_ptr(), g_x.data_ptr(), *x.shape, *_layout(x)[1:])
    return g_x


def convolved_forward(
    function: Function,
    shape: ConvolutionShape,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    parameters: Sequence[Tensor],
) -> Selected:
    """Pool the values of a function behind a convolution of channels-last images x."""
    kernels, pool = convolution_library(shape), _pool_library(function, parameters)
    assert kernels is not None
    height, width = shape.sides
    found = Selected.empty(
        (x.shape[0], shape.outputs, height // 2, width // 2), torch.channels_last
    )
    sound = kernels.convolution_forward(
        x.data_ptr(),
        weight.data_ptr(),
        _strides(weight),
        bias.data_ptr(),
        pointers(parameters),
        functions_of(parameters),
        _entries(pool),
        *found.pointers(),
        x.shape[0],
        _threads(x.shape[0] * height * width * shape.outputs),
    )
    return found._replace(sound=sound)


def convolution_values(shape: ConvolutionShape, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Values (N, outputs, H, W) of a convolution of channels-last images x, likewise."""
    kernels = convolution_library(shape)
    assert kernels is not None
    y = torch.empty((x.shape[0], shape.outputs, *shape.sides), memory_format=torch.channels_last)
    kernels.convolution_values(
        x.data_ptr(),
        weight.data_ptr(),
        _strides(weight),
        bias.data_ptr(),
        y.data_ptr(),
        x.shape[0],
        _threads(y.numel()),
    )
    return y


def convolved_backward(
    shape: ConvolutionShape, x: Tensor, weight: Tensor, g: Tensor, which: Tensor, with_x: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of x (if it is asked for), weight and bias, as `pooled_backward`."""
    kernels = convolution_library(shape)
    assert kernels is not None
    g_x = torch.empty_like(x) if with_x else None
    g_weight, g_bias = torch.empty_like(weight), weight.new_empty(shape.outputs)
    # The kernel writes by the weight's strides.
    assert g_weight.stride() == weight.stride()
    kernels.convolution_backward(
        g.data_ptr(),
        which.data_ptr(),
        x.data_ptr(),
        weight.data_ptr(),
        _strides(weight),
        None if g_x is None else g_x.data_ptr(),
        g_weight.data_ptr(),
        g_bias.data_ptr(),
        x.shape[0],
        _threads(4 * g.numel()),
    )
    return g_x, g_weight, g_bias


def _pool_library(function: Function, parameters: Sequence[Tensor]) -> ctypes.CDLL:
    kernels = pool_library(function, parameters[0].shape[-1] if parameters else 0)
    assert kernels is not None
    return kernels


def _strides(weight: Tensor) -> ctypes.Array[ctypes.c_int64]:
    return (_SIZE * 4)(*weight.stride())


def _layout(x: Tensor) -> tuple[torch.memory_format, int, int]:
    """Return x's memory format, the same as a number, and the threads to use."""
    # Images of one channel are both; their rows are gathered as those of contiguous ones.
    last = not x.is_contiguous()
    memory_format = torch.channels_last if last else torch.contiguous_format
    return memory_format, int(last), _threads(x.numel())


def _threads(n: int) -> int:
    return min(torch.get_num_threads(), max(1, n // FEWEST_A_THREAD))
