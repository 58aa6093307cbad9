"""Asks whether torch.jit traces: its programs are for inference, in torch's own operators."""

from __future__ import annotations

import torch


def is_traced() -> bool:
    """True within `torch.jit.trace`, whose programs keep no autograd Function."""
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return traced
