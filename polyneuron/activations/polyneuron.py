"""PolyNeuron: Hryniowski and Wong, PolyNeuron: Automatic Neuron Discovery, 2018, Eq. 1-3."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.initialization import start_points, warn_if_unsound
from polyneuron.kernels import evaluate, evaluate_hermite
from polyneuron.natural_spline import knot_slopes
from polyneuron.scope import Channels
from polyneuron.system import (
    coincident_neighbours,
    raise_if_singular,
    solve_coefficients,
    solve_isolated,
)


class PolyNeuron(Activation):
    """The polyharmonic spline through s learned control points.

    `forward` raises SingularSystemError where the control points of a function admit no unique
    spline. Compiled code cannot raise it: there the function's values are NaN.

    Args:
        s: number of control points, at least 2.
        k: order of U_k, at least 1.
        channels: see `Activation`.
        init: how the control points start, see `polyneuron.initialization.start_points`.
        half_range: the start's control points span [-half_range, half_range].
        generator: source of a random start; None is torch's global one.

    Attributes:
        c_x: abscissas of the control points in any order, a parameter (A, s).
        c_y: their heights, a parameter (A, s).

    Raises:
        ValueError: an argument is out of range.
    """

    shown: ClassVar[tuple[str, ...]] = ("s", "k")

    def __init__(
        self,
        s: int = 3,
        k: int = 3,
        channels: Channels = None,
        *,
        init: str = "relu_like",
        half_range: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(channels)
        c_x, c_y = start_points(self.functions, s, k, init, half_range, generator)
        warn_if_unsound(s, k)
        self.s, self.k = s, k
        dtype = torch.get_default_dtype()
        self.c_x = nn.Parameter(c_x.to(dtype))
        self.c_y = nn.Parameter(c_y.to(dtype))

    def coefficients(self) -> tuple[Tensor, Tensor]:
        """Solve Eq. 2 for w (A, s) and v (A, 2), slope then offset.

        Raises:
            SingularSystemError: the control points of a function admit no unique spline.
        """
        return solve_coefficients(self.c_x, self.c_y, self.k)

    def _response(self, x: Tensor) -> Tensor:
        return spline_through(x, self.c_x, self.c_y, self.k)


def spline_through(x: Tensor, c_x: Tensor, c_y: Tensor, k: int) -> Tensor:
    """Value at x of the polyharmonic splines through control points (A, s), in any order.

    For k = 3 as the natural cubic spline, which is the same function without the cancellation.

    Raises:
        SingularSystemError: a function has no unique spline; compiled code gives NaN instead.
    """
    if k != 3:
        w, v, singular = solve_isolated(c_x, c_y, k)
        return evaluate(x, c_x, w, _raise_or_spoil(v, singular, c_x, c_y, k), k)
    knots, order = c_x.sort(dim=1)
    heights = c_y.gather(1, order)
    m = knot_slopes(knots, heights)
    singular = coincident_neighbours(knots.detach()) | ~torch.isfinite(m.detach()).all(dim=1)
    return evaluate_hermite(x, knots, heights, _raise_or_spoil(m, singular, c_x, c_y, k))


def _raise_or_spoil(values: Tensor, singular: Tensor, c_x: Tensor, c_y: Tensor, k: int) -> Tensor:
    if torch.compiler.is_compiling():
        return values.masked_fill(singular[:, None], float("nan"))
    raise_if_singular(singular, c_x, c_y, k)
    return values
