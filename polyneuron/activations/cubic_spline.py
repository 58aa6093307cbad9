"""Cubic-spline unit: Scardapane, Scarpiniti, Comminiello and Uncini, arXiv 1605.05509, 2016."""

import torch
from torch import Tensor, nn

from polyneuron.activations.even_grid import OnEvenGrid
from polyneuron.kernels.function import Function
from polyneuron.kernels.hermite.formula import EVEN
from polyneuron.natural_spline import differences
from polyneuron.options import check_choice
from polyneuron.scope import Channels

STARTS = {"tanh": torch.tanh, "relu": torch.relu}


class CubicSpline(OnEvenGrid):
    """Catmull-Rom spline through learned heights on a fixed, even grid, with straight tails.

    The slope at an inner knot is that of the secant through its two neighbours. The paper does not
    say what the function is beyond the grid; here it goes on straight.

    Args:
        channels: see `Activation`.
        knots: number of knots, at least 3.
        half_range: the grid spans [-half_range, half_range]; the paper's is 2, in steps of 0.2.
        start: the function at which the heights start: "tanh", as in the paper, or "relu".

    Attributes:
        c_y: heights at the knots, a parameter (A, knots).

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        channels: Channels = None,
        *,
        knots: int = 21,
        half_range: float = 2.0,
        start: str = "tanh",
    ) -> None:
        super().__init__(channels, knots, half_range)
        check_choice("start", start, STARTS)
        self.c_y = nn.Parameter(STARTS[start](self.grid).expand(self.functions, -1).clone())

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return the spline's function with its knots, heights and slopes."""
        c_x = self.grid.expand(self.functions, -1)
        secant = differences(self.c_y) / differences(c_x)
        inner = (secant[:, :-1] + secant[:, 1:]) / 2
        m = torch.cat([secant[:, :1], inner, secant[:, -1:]], dim=1)
        return EVEN, (c_x, self.c_y, m)
