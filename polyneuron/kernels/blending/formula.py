"""Adaptive blending units, weighted sums of five fixed functions."""

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.kernels.function import Function, smooth_row
from polyneuron.scope import spread


def blending(x: Tensor, w: Tensor) -> Tensor:
    """Return w_0 tanh(x) + w_1 ELU(x) + w_2 max(0, x) + w_3 x + w_4 SiLU(x), w (A, 5)."""
    tanh, elu, relu, identity, silu = (spread(column, x) for column in w.unbind(1))
    curved = tanh * torch.tanh(x) + elu * F.elu(x) + silu * F.silu(x)
    return curved + relu * torch.relu(x) + identity * x


BLENDING = Function("blending", blending, "Blending", lambda _: smooth_row(5))
"""Parameter: weights w (A, 5)."""
