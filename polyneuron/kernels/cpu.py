"""The C++ kernels on tensors: memory layouts, pointers and threads."""

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from polyneuron.kernels.compiler import library
from polyneuron.kernels.functions import Function
from polyneuron.scope import broadcast_shape

STORAGE = {torch.float32: "Float32", torch.bfloat16: "Bfloat16"}

FEWEST_A_THREAD = 16384
"""Elements below which a second thread costs more than it saves."""


@dataclass(frozen=True)
class BatchNorm:
    """A batch norm as torch's module has it: (C,) tensors, float32 and without gaps."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_variance: Tensor
    momentum: float
    eps: float
    training: bool


_POINTER, _SIZE, _INT, _REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, ctypes.c_double
_SHAPE = (_SIZE, _SIZE, _SIZE, _INT)
_NORM = (_SIZE, *3 * (_POINTER,))
_POINTWISE = {
    "forward": (*3 * (_POINTER,), *_SHAPE),
    "backward": (*5 * (_POINTER,), *_SHAPE),
}
_NORMALISED = {
    "norm_forward": (*4 * (_POINTER,), *_NORM, _POINTER, _POINTER, _REAL, _REAL, _INT, *_SHAPE),
    "norm_backward": (*7 * (_POINTER,), *_NORM, _REAL, _INT, _POINTER, _POINTER, *_SHAPE),
}


def kernels(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> ctypes.CDLL | None:
    """The library for x's storage, or None where the plain formula has to do."""
    return _kernels("pointwise.cpp", function, x, parameters)


def norm_kernels(function: Function, z: Tensor, parameters: Sequence[Tensor]) -> ctypes.CDLL | None:
    """As `kernels`, for the function behind a batch norm."""
    return _kernels("norm.cpp", function, z, parameters)


def _kernels(
    source: str, function: Function, x: Tensor, parameters: Sequence[Tensor]
) -> ctypes.CDLL | None:
    if x.device.type != "cpu" or x.dtype not in STORAGE:
        return None
    columns = parameters[0].shape[-1] if parameters else 0
    return _library(source, function, columns, x.dtype)


@functools.cache
def _library(
    source: str, function: Function, columns: int, dtype: torch.dtype
) -> ctypes.CDLL | None:
    found = library(source, FUNCTION=function.cpp(columns), STORAGE=STORAGE[dtype])
    if found is not None:
        for name, types in (_POINTWISE if source == "pointwise.cpp" else _NORMALISED).items():
            getattr(found, name).argtypes = types
            getattr(found, name).restype = ctypes.c_bool if "forward" in name else None
    return found


def forward(
    kernels: ctypes.CDLL, x: Tensor, parameters: Sequence[Tensor], functions: int
) -> tuple[Tensor, bool]:
    """Y in x's shape, dtype and memory format, and whether there is every function."""
    x, shape = _laid_out(x, functions)
    parameters = [parameter.contiguous() for parameter in parameters]
    y = torch.empty_like(x)
    return y, kernels.forward(x.data_ptr(), y.data_ptr(), _pointers(parameters), *shape)


def backward(
    kernels: ctypes.CDLL, g: Tensor, x: Tensor, parameters: Sequence[Tensor], functions: int
) -> tuple[Tensor, list[Tensor]]:
    """dL/dx and the parameters' gradients, from g = dL/dy."""
    x, shape = _laid_out(x, functions)
    g = like(g, x)
    parameters = [parameter.contiguous() for parameter in parameters]
    g_x = torch.empty_like(x)
    gradients = [torch.empty_like(parameter) for parameter in parameters]
    kernels.backward(
        g.data_ptr(),
        x.data_ptr(),
        g_x.data_ptr(),
        _pointers(parameters),
        _pointers(gradients),
        *shape,
    )
    return g_x, gradients


def norm_forward(
    kernels: ctypes.CDLL,
    z: Tensor,
    residual: Tensor | None,
    norm: BatchNorm,
    statistics: Tensor,
    parameters: Sequence[Tensor],
) -> tuple[Tensor, bool]:
    """Values of `kernels.norm`, and whether there is every function.

    In training, `statistics` (2, C) receive the mean and the variance, divided by n, of the batch,
    and the running ones take them in. `residual` lies in memory as z does.
    """
    z, shape = _laid_out(z, z.shape[1])
    y = torch.empty_like(z)
    sound = kernels.norm_forward(
        z.data_ptr(),
        None if residual is None else residual.data_ptr(),
        y.data_ptr(),
        _pointers(parameters),
        _functions(parameters),
        norm.weight.data_ptr(),
        norm.bias.data_ptr(),
        statistics.data_ptr(),
        norm.running_mean.data_ptr(),
        norm.running_variance.data_ptr(),
        norm.momentum,
        norm.eps,
        norm.training,
        *shape,
    )
    return y, sound


def norm_backward(
    kernels: ctypes.CDLL,
    g: Tensor,
    z: Tensor,
    residual: Tensor | None,
    norm: BatchNorm,
    statistics: Tensor,
    parameters: Sequence[Tensor],
) -> tuple[Tensor | None, ...]:
    """Gradients of z, residual, weight, bias and the parameters, from g = dL/dy."""
    z, shape = _laid_out(z, z.shape[1])
    g = like(g, z)
    g_z = torch.empty_like(z)
    g_residual = None if residual is None else torch.empty_like(z)
    g_norm = torch.empty_like(statistics)
    gradients = [torch.empty_like(parameter) for parameter in parameters]
    kernels.norm_backward(
        g.data_ptr(),
        z.data_ptr(),
        None if residual is None else residual.data_ptr(),
        (g_z if g_residual is None else g_residual).data_ptr(),
        g_z.data_ptr(),
        _pointers(parameters),
        _pointers(gradients),
        _functions(parameters),
        norm.weight.data_ptr(),
        norm.bias.data_ptr(),
        statistics.data_ptr(),
        norm.eps,
        norm.training,
        g_norm.data_ptr(),
        g_norm.data_ptr() + 4 * len(norm.bias),
        *shape,
    )
    return g_z, g_residual, *g_norm.unbind(0), *gradients


def like(values: Tensor, x: Tensor) -> Tensor:
    """`values` in x's dtype and memory layout."""
    if values.dtype is not x.dtype:
        values = values.to(x.dtype)
    if values.stride() == x.stride():
        return values
    return torch.empty_like(x).copy_(values)


def _laid_out(x: Tensor, functions: int) -> tuple[Tensor, tuple[int, int, int, int]]:
    """X without gaps in memory; (outer, functions, inner) as kernels/cpp sees it; threads."""
    n = x.numel()
    threads = min(torch.get_num_threads(), max(1, n // FEWEST_A_THREAD))
    channels_last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    # The formats are one where there is one channel, or one pixel.
    if functions == 1:
        x = x if channels_last else x.contiguous()
        return x, (n, 1, 1, threads)
    of_channels = broadcast_shape(functions, x.shape)[0] == functions
    if channels_last and of_channels:
        return x, (n // functions, functions, 1, threads)
    outer = x.shape[0]
    inner = n // (outer * functions) if n else 1
    return x.contiguous(), (outer, functions, inner, threads)


def _functions(parameters: Sequence[Tensor]) -> int:
    """A; a function without parameters is one for all channels."""
    return parameters[0].shape[0] if parameters else 1


def _pointers(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (_POINTER * len(tensors))(*[tensor.data_ptr() for tensor in tensors])
