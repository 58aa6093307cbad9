"""Cross-entropy of a batch, its gradient and the count of correct images, in one call on a CPU."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from polyneuron.kernels.cpp.compiler import library

_POINTER, _SIZE, _REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


@functools.cache
def _library() -> ctypes.CDLL | None:
    found = library(Path(__file__).with_name("cross_entropy.cpp"))
    if found is not None:
        found.cross_entropy.argtypes = (_POINTER, _POINTER, _SIZE, _SIZE, _REAL, *3 * (_POINTER,))
        found.cross_entropy.restype = ctypes.c_bool
    return found


class Descent(NamedTuple):
    """A batch's cross-entropy and where it descends."""

    loss: Tensor
    """Mean cross-entropy, 0-dim."""
    correct: Tensor
    """Number of images that are classified correctly, 0-dim int64."""
    gradient: Tensor
    """d loss / d logits (B, classes)."""


def descent(logits: Tensor, labels: Tensor, smoothing: float) -> Descent | None:
    """Return cross-entropy and gradient, or None where torch's own operators are to be used.

    Args:
        logits: (B, classes), float32.
        labels: int64 (B,).
        smoothing: share of a label that all classes have together.

    Raises:
        ValueError: a label is no class.
    """
    kernels = _library() if logits.is_cpu and logits.numel() > 0 else None
    if kernels is None or logits.dtype is not torch.float32:
        return None
    logits, labels = logits.detach().contiguous(), labels.contiguous()
    found = Descent(torch.empty(()), torch.empty((), dtype=torch.int64), torch.empty_like(logits))
    sound = kernels.cross_entropy(
        logits.data_ptr(),
        labels.data_ptr(),
        *logits.shape,
        smoothing,
        *(tensor.data_ptr() for tensor in found),
    )
    if not sound:
        raise ValueError(f"labels must be from 0 to {logits.shape[1] - 1}, got {labels.tolist()}")
    return found


def pull_back(logits: Tensor, gradient: Tensor) -> None:
    """Leave the gradients of all that the logits come from, as `logits.backward(gradient)`.

    That imports torch's symbolic shapes and sympy at its first call, a third of a second.
    """
    loss: Tensor = _Known.apply(logits, gradient)
    loss.backward()


class _Known(torch.autograd.Function):
    """A loss of which the gradient is known, and the value is not asked for."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, gradient: Tensor) -> Tensor:
        ctx.gradient = gradient
        return logits.new_empty(())

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor, None]:
        return ctx.gradient, None
