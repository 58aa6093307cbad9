"""Cross-entropy of a batch with the count of its correct images, in one call on a CPU."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.kernels.cpp.compiler import library

_POINTER, _SIZE, _REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


@functools.cache
def _library() -> ctypes.CDLL | None:
    found = library(Path(__file__).with_name("cross_entropy.cpp"))
    if found is not None:
        found.cross_entropy.argtypes = (_POINTER, _POINTER, _SIZE, _SIZE, _REAL, *3 * (_POINTER,))
        found.cross_entropy.restype = ctypes.c_bool
    return found


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Return the mean cross-entropy and the number of correct images, both 0-dim on the device.

    Args:
        logits: (B, classes), float32.
        labels: int64 (B,).
        smoothing: share of a label that all classes have together.
    """
    if logits.is_cpu and logits.numel() > 0 and labels.is_contiguous() and _library() is not None:
        loss, correct = _CrossEntropy.apply(logits, labels, smoothing)
        return loss, correct
    loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    return loss, (logits.detach().argmax(1) == labels).sum()


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels, smoothing):  # type: ignore[no-untyped-def]
        kernels = _library()
        assert kernels is not None
        logits = logits.contiguous()
        loss, correct = torch.empty(()), torch.empty((), dtype=torch.int64)
        g = torch.empty_like(logits)
        sound = kernels.cross_entropy(
            logits.data_ptr(),
            labels.data_ptr(),
            *logits.shape,
            smoothing,
            loss.data_ptr(),
            correct.data_ptr(),
            g.data_ptr(),
        )
        if not sound:  # torch's own raises an error that names the label
            F.cross_entropy(logits, labels)
            raise ValueError(f"labels must be from 0 to {logits.shape[1] - 1}")
        ctx.save_for_backward(g)
        ctx.mark_non_differentiable(correct)
        return loss, correct

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g_loss, _):  # type: ignore[no-untyped-def]
        (g,) = ctx.saved_tensors
        return g * g_loss, None, None
