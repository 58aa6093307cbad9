"""Swish, which is SiLU for beta = 1."""

import torch
from torch import Tensor

from polyneuron.kernels.function import Function
from polyneuron.scope import spread


def swish(x: Tensor, beta: Tensor) -> Tensor:
    """Return x sigmoid(beta x), beta (A,)."""
    return x * torch.sigmoid(spread(beta, x) * x)


SWISH = Function("swish", swish, "Swish", lambda _: (torch.ones(1),))
"""Parameter: beta (A,)."""
