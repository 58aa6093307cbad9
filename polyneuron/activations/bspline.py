"""B-spline unit: Douzette, B-Splines in Machine Learning, Master's thesis, Oslo, 2017.

The straight tails are those of Bohra, Campos, Gupta, Aziznejad and Unser, Learning Activation
Functions in Deep (Spline) Neural Networks, 2020.
"""

import torch
from torch import Tensor, nn

from polyneuron.activations.even_grid import OnEvenGrid
from polyneuron.kernels.function import Function
from polyneuron.kernels.hermite.formula import EVEN
from polyneuron.scope import Channels


class BSpline(OnEvenGrid):
    """sum_i a_i B(x / h - i), B the cubic B-spline, on a fixed, even grid, with straight tails.

    At a knot the sum is (a_{i-1} + 4 a_i + a_{i+1}) / 6 with slope (a_{i+1} - a_{i-1}) / 2h: these
    determine the cubic pieces. The start a_i = max(t_i, 0), t the grid, is ReLU smoothed within one
    knot of 0, and exactly ReLU elsewhere, tails included.

    Args:
        channels: see `Activation`.
        knots: number of knots, at least 3.
        half_range: the grid spans [-half_range, half_range].

    Attributes:
        a: coefficients, one more on each side than there are knots; a parameter (A, knots + 2).

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self, channels: Channels = None, *, knots: int = 21, half_range: float = 3.0
    ) -> None:
        super().__init__(channels, knots, half_range)
        grid = self.grid
        h = grid[1:2] - grid[:1]
        wider = torch.cat([grid[:1] - h, grid, grid[-1:] + h])
        self.a = nn.Parameter(torch.relu(wider).expand(self.functions, -1).clone())

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return the spline's function with its knots, and its heights and slopes at them."""
        left, middle, right = self.a[:, :-2], self.a[:, 1:-1], self.a[:, 2:]
        c_x = self.grid.expand(self.functions, -1)
        m = (right - left) / (2 * (c_x[:, 1:2] - c_x[:, :1]))
        return EVEN, (c_x, (left + 4 * middle + right) / 6, m)
