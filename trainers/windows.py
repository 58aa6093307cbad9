"""Windows of training images, cut, mirrored and normalised in one pass on a CPU."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import torch
from torch import Tensor

from polyneuron.kernels.cpp.compiler import library

MIRRORS = ("none", "left_right", "up_down")
"""In the order of `Mirror` in windows.cpp."""

FEWEST_A_THREAD = 2**16
"""Values of a batch from which a second thread saves more than its start costs."""

_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int


@functools.cache
def _library() -> ctypes.CDLL | None:
    found = library(Path(__file__).with_name("windows.cpp"))
    if found is not None:
        found.cut_windows.argtypes = (*7 * (_POINTER,), *5 * (_SIZE,), *4 * (_INT,))
        found.cut_windows.restype = None
    return found


def can_cut(images: Tensor) -> bool:
    """Return True if there is a kernel for padded images (N, C, H, W), uint8."""
    return (
        images.device.type == "cpu"
        and images.dtype is torch.uint8
        and images.is_contiguous()
        and _library() is not None
    )


def cut(
    images: Tensor,
    chosen: Tensor,
    offset: Tensor,
    mirrored: Tensor,
    moments: tuple[Tensor, Tensor],
    *,
    pad: int,
    flip: str,
    mean_border: bool,
    memory_format: torch.memory_format,
) -> Tensor:
    """Return the windows of the `chosen` images (B,) as (B, C, H, W) floats.

    Args:
        images: padded images for which `can_cut` says True.
        chosen: int64 (B,).
        offset: int64 (N, 2), row and column of each image's window, from 0 to 2 `pad`.
        mirrored: bool (N,).
        moments: mean, and 1 / deviation, of each channel; C values each, float32.
        pad: pixels on each side of an image.
        flip: what mirroring is, a name in `MIRRORS`.
        mean_border: 0 in place of normalised values on what was padded.
        memory_format: of the result.
    """
    kernels = _library()
    assert kernels is not None
    _, channels, height, width = images.shape
    shape = (chosen.shape[0], channels, height - 2 * pad, width - 2 * pad)
    windows = torch.empty(shape, memory_format=memory_format)
    rows = (chosen, offset, mirrored, *moments)
    assert all(tensor.is_contiguous() for tensor in rows)
    threads = min(torch.get_num_threads(), max(1, windows.numel() // FEWEST_A_THREAD))
    kernels.cut_windows(
        images.data_ptr(),
        *(tensor.data_ptr() for tensor in rows),
        windows.data_ptr(),
        *shape,
        pad,
        MIRRORS.index(flip),
        mean_border,
        memory_format is torch.channels_last,
        threads,
    )
    return windows
