"""The backend of compiled C++: memory layouts, pointers and threads. For tensors on the CPU."""

import ctypes
import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from polyneuron.kernels.backend import BatchNorm, Case, Normalised
from polyneuron.kernels.cpp.compiler import library
from polyneuron.kernels.function import Function

# There is no C++ for solving alone: `Natural` solves as it evaluates.
from polyneuron.kernels.plain import solve as solve
from polyneuron.kernels.plain import solve_backward as solve_backward
from polyneuron.scope import broadcast_shape

STORAGE = {torch.float32: "Float32", torch.bfloat16: "Bfloat16"}
"""Types in cpp/lanes.hpp of what lies in memory."""

FEWEST_A_THREAD = 16384
"""Elements below which a second thread costs more than it saves."""

_POINTER, _SIZE, _INT, _REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, ctypes.c_double
_SHAPE = (_SIZE, _SIZE, _SIZE, _INT)
_NORM = (_SIZE, *3 * (_POINTER,))
_ARGUMENTS: dict[str, dict[str, tuple[type, ...]]] = {
    "pointwise": {
        "forward": (*3 * (_POINTER,), *_SHAPE),
        "backward": (*5 * (_POINTER,), *_SHAPE),
    },
    "norm": {
        "norm_forward": (*4 * (_POINTER,), *_NORM, _POINTER, _POINTER, _REAL, _REAL, _INT, *_SHAPE),
        "norm_backward": (*7 * (_POINTER,), *_NORM, _REAL, _INT, _POINTER, _POINTER, *_SHAPE),
    },
}
"""Types of the arguments of each C function, by the operator whose source defines it."""


def supports(case: Case) -> bool:
    """See `Backend.supports`: true once the case's kernel is compiled."""
    if case.operator in ("stage", "linear"):
        return _has_stage(case)
    return (
        case.operator in _ARGUMENTS
        and case.dtype in STORAGE
        and _library(case.operator, case.function, case.columns, case.dtype) is not None
    )


def _has_stage(case: Case) -> bool:
    # Here, because stages stand on what this module defines.
    from polyneuron.kernels.cpp import linear, stages

    if case.operator == "linear" and linear.linear_library() is None:
        return False
    if _library("pointwise", case.function, case.columns, case.dtype) is None:
        return False
    return case.operator == "linear" or (
        stages.pool_library(case.function, case.columns) is not None
        and (case.convolution is None or stages.convolution_library(case.convolution) is not None)
    )


# Cached, because ctypes would look up names, and set types, at every call.
@functools.cache
def _library(
    operator: str, function: Function, columns: int, dtype: torch.dtype
) -> ctypes.CDLL | None:
    found = library(
        f"{operator}.cpp",
        FUNCTION=function.cpp(columns),
        HEADER=f'"{function.family}/{function.family}.hpp"',
        STORAGE=STORAGE[dtype],
    )
    if found is not None:
        for name, types in _ARGUMENTS[operator].items():
            getattr(found, name).argtypes = types
            getattr(found, name).restype = ctypes.c_bool if "forward" in name else None
    return found


def forward(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, bool]:
    """See `Backend.forward`."""
    columns = parameters[0].shape[-1] if parameters else 0
    kernels = _library("pointwise", function, columns, x.dtype)
    assert kernels is not None
    x, shape = laid_out(x, functions_of(parameters))
    parameters = [parameter.contiguous() for parameter in parameters]
    y = torch.empty_like(x)
    return y, kernels.forward(x.data_ptr(), y.data_ptr(), pointers(parameters), *shape)


def backward(
    function: Function, g: Tensor, x: Tensor, parameters: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """See `Backend.backward`."""
    columns = parameters[0].shape[-1] if parameters else 0
    kernels = _library("pointwise", function, columns, x.dtype)
    assert kernels is not None
    x, shape = laid_out(x, functions_of(parameters))
    g = like(g, x)
    parameters = [parameter.contiguous() for parameter in parameters]
    g_x = torch.empty_like(x)
    gradients = [torch.empty_like(parameter) for parameter in parameters]
    kernels.backward(
        g.data_ptr(),
        x.data_ptr(),
        g_x.data_ptr(),
        pointers(parameters),
        pointers(gradients),
        *shape,
    )
    return g_x, gradients


def norm_forward(of: Normalised) -> tuple[Tensor, Tensor, bool]:
    """See `Backend.norm_forward`; the statistics are mean and variance, divided by n."""
    norm = of.norm
    if norm.running is None or norm.training:
        statistics = torch.empty(2, of.z.shape[1])
    else:  # a copy: the running ones may change before the backward pass
        statistics = torch.stack(norm.running)
    z, shape = laid_out(of.z, of.z.shape[1])
    y = torch.empty_like(z)
    sound = _norm_library(of).norm_forward(
        z.data_ptr(),
        _pointer(of.residual),
        y.data_ptr(),
        pointers(of.parameters),
        functions_of(of.parameters),
        norm.weight.data_ptr(),
        norm.bias.data_ptr(),
        statistics.data_ptr(),
        *map(_pointer, norm.running or (None, None)),
        norm.momentum,
        norm.eps,
        norm.by_batch,
        *shape,
    )
    return y, statistics, sound


def norm_backward(of: Normalised, g: Tensor, statistics: Tensor) -> tuple[Tensor | None, ...]:
    """See `Backend.norm_backward`."""
    norm = of.norm
    z, shape = laid_out(of.z, of.z.shape[1])
    g = like(g, z)
    g_z = torch.empty_like(z)
    g_residual = None if of.residual is None else torch.empty_like(z)
    g_weight, g_bias = torch.empty_like(statistics).unbind(0)
    gradients = [torch.empty_like(parameter) for parameter in of.parameters]
    _norm_library(of).norm_backward(
        g.data_ptr(),
        z.data_ptr(),
        _pointer(of.residual),
        # dL/du, which is the residual's gradient; without a residual dL/dz overwrites it.
        (g_z if g_residual is None else g_residual).data_ptr(),
        g_z.data_ptr(),
        pointers(of.parameters),
        pointers(gradients),
        functions_of(of.parameters),
        norm.weight.data_ptr(),
        norm.bias.data_ptr(),
        statistics.data_ptr(),
        norm.eps,
        norm.by_batch,
        g_weight.data_ptr(),
        g_bias.data_ptr(),
        *shape,
    )
    return g_z, g_residual, g_weight, g_bias, *gradients


def norm_variance(norm: BatchNorm, statistics: Tensor) -> Tensor:
    """See `Backend.norm_variance`."""
    return statistics[1]


def _norm_library(of: Normalised) -> ctypes.CDLL:
    columns = of.parameters[0].shape[-1] if of.parameters else 0
    kernels = _library("norm", of.function, columns, of.z.dtype)
    assert kernels is not None
    return kernels


def like(values: Tensor, x: Tensor) -> Tensor:
    """`values` in x's dtype and memory layout."""
    if values.dtype is not x.dtype:
        values = values.to(x.dtype)
    # Often not: convolutions choose the memory format of a gradient by themselves.
    if values.stride() == x.stride():
        return values
    return torch.empty_like(x).copy_(values)


def laid_out(x: Tensor, functions: int) -> tuple[Tensor, tuple[int, int, int, int]]:
    """Returns x without gaps in memory, and outer, functions, inner (traversal.hpp) and threads."""
    n = x.numel()
    threads = min(torch.get_num_threads(), max(1, n // FEWEST_A_THREAD))
    channels_last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    # A tensor of one channel, or of one pixel, is channels-last and contiguous alike.
    if functions == 1:
        x = x if channels_last else x.contiguous()
        return x, (n, 1, 1, threads)
    of_channels = broadcast_shape(functions, x.shape)[0] == functions
    if channels_last and of_channels:
        return x, (n // functions, functions, 1, threads)
    outer = x.shape[0]
    inner = n // (outer * functions) if n else 1
    return x.contiguous(), (outer, functions, inner, threads)


def functions_of(parameters: Sequence[Tensor]) -> int:
    """Returns A; a function without parameters is one for all channels."""
    return parameters[0].shape[0] if parameters else 1


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def pointers(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    """Addresses of tensors, which must outlive the call that reads them."""
    return (_POINTER * len(tensors))(*[tensor.data_ptr() for tensor in tensors])
