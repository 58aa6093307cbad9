"""PReLU, ReLU with a learned slope on the left."""

import torch
from torch import Tensor

from polyneuron.kernels.function import Function
from polyneuron.scope import spread


def prelu(x: Tensor, a: Tensor) -> Tensor:
    """Return max(0, x) + a min(0, x), a (A,)."""
    return torch.relu(x) - spread(a, x) * torch.relu(-x)


PRELU = Function("prelu", prelu, "Prelu", lambda _: (torch.full((1,), 0.25),))
"""Parameter: a (A,)."""
