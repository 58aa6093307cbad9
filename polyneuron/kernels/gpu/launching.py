"""Starts of kernels."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from polyneuron.kernels.gpu.layout import THREADS

WARPS = THREADS // 32


def launch(kernel: Any, grid: tuple[int, ...], **arguments: object) -> None:
    """Start a kernel on the device of its first tensor."""
    device = next(a.device for a in arguments.values() if isinstance(a, Tensor))
    on_device: Callable[[], AbstractContextManager[object]] = (
        (lambda: torch.cuda.device(device)) if device.type == "cuda" else nullcontext
    )
    with on_device():
        # Triton fuses multiplications with additions only where it is told to.
        kernel[grid](**arguments, num_warps=WARPS, enable_fp_fusion=True)
