"""Adaptive piecewise linear units."""

import torch
from torch import Tensor

from polyneuron.kernels.function import Function, two_smooth_rows
from polyneuron.scope import spread


def apl(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return max(0, x) + sum_i a_i max(0, b_i - x), a and b (A, s)."""
    y = torch.relu(x)
    for a_i, b_i in zip(a.unbind(1), b.unbind(1), strict=True):
        y = y + spread(a_i, x) * torch.relu(spread(b_i, x) - x)
    return y


APL = Function("apl", apl, "Apl<{s}>", two_smooth_rows)
"""Parameters: a and b (A, s)."""
