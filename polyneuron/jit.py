"""Asks whether a program is made for inference elsewhere, in torch's own operators."""

from __future__ import annotations

import torch


def is_traced() -> bool:
    """True within `torch.jit.trace`, whose programs keep no autograd Function."""
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return traced


def is_exporting() -> bool:
    """True while a program is made that must load without this package.

    Such a program consists of torch's own operators, and is for inference.
    """
    return is_traced() or torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()
