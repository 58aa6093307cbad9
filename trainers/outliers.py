"""Numbers far from most others: the largest size, and those beyond bounds, in one pass on a CPU."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyneuron.kernels.cpp.compiler import library

_POINTER, _SIZE, _FLOAT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float

Values = NDArray[np.floating[Any]]


@functools.cache
def _library() -> ctypes.CDLL | None:
    found = library(Path(__file__).with_name("outliers.cpp"), STORAGE="Float32")
    if found is not None:
        found.largest_size.argtypes = (_POINTER, _SIZE)
        found.largest_size.restype = _FLOAT
        found.beyond.argtypes = (_POINTER, _SIZE, _FLOAT, _FLOAT, *3 * (_POINTER,))
        found.beyond.restype = None
    return found


def largest_size(x: Tensor) -> Tensor:
    """Return the largest |x|, 0-dim float32 on x's device, of at least one x; NaN where one is."""
    x = x.detach()
    last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    if x.is_cpu and x.dtype is torch.float32 and (last or x.is_contiguous()):
        kernels = _library()
        if kernels is not None:
            return torch.tensor(kernels.largest_size(x.data_ptr(), x.numel()))
    return x.abs().amax().float()


def beyond(values: Values, low: float, high: float) -> tuple[Values, Values]:
    """Return the values (n,) that are at most `low`, and those that are not below `high`.

    NaN is among the second, whatever the bounds.
    """
    plain = values.dtype == np.float32 and values.flags.c_contiguous
    kernels = _library() if plain else None
    if kernels is None:
        return values[values <= low], values[~(values < high)]
    below, above = np.empty_like(values), np.empty_like(values)
    counts = np.empty(2, np.int64)
    found = (array.ctypes.data for array in (below, above, counts))
    kernels.beyond(values.ctypes.data, len(values), low, high, *found)
    # Copies: the few that were found must not keep the memory of all.
    return below[: counts[0]].copy(), above[: counts[1]].copy()
