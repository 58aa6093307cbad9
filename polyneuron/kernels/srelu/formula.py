"""SReLU, three straight pieces that meet."""

import torch
from torch import Tensor

from polyneuron.kernels.function import Function, smooth_row
from polyneuron.scope import spread


def srelu(x: Tensor, lines: Tensor) -> Tensor:
    """Return x, with slope a_l below t_l and a_r above t_r; lines t_l, a_l, t_r, a_r (A, 4)."""
    t_left, a_left, t_right, a_right = (spread(column, x) for column in lines.unbind(1))
    return x + (1 - a_left) * torch.relu(t_left - x) + (a_right - 1) * torch.relu(x - t_right)


SRELU = Function("srelu", srelu, "Srelu", lambda _: smooth_row(4))
"""Parameter: t_left, a_left, t_right and a_right as the columns of one (A, 4)."""
