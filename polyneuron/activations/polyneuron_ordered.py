"""PolyNeuron with control points that cannot meet: a stabilised variant beyond the paper.

The paper's instability: when a boundary control point nears its neighbour and its height does not
follow, the tail's slope grows like 1 / gap. Here c_{i+1} = c_i + min_gap + softplus(g_i) keeps the
points apart. With `slopes`, the secant slopes m_i between neighbours are learned in place of the
heights, so that the heights follow. For k = 3 the slope then stays within 3 max |m|, whatever the
gaps: the slopes at the knots solve a diagonally dominant system whose right side is at most
3 max |m|.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.activations.interpolating import Interpolating
from polyneuron.initialization import as_parameter, start_points, warn_if_unsound
from polyneuron.options import check_flag, check_number
from polyneuron.scope import Channels

if TYPE_CHECKING:
    from jaxtyping import Float


class PolyNeuronOrdered(Interpolating):
    """The polyharmonic spline through s control points in ascending order, `min_gap` apart.

    Args:
        s: number of control points, at least 2.
        k: order of U_k, at least 1.
        channels: see `Activation`.
        min_gap: least distance of neighbouring control points.
        slopes: learn secant slopes instead of heights.
        init: how the control points start, see `polyneuron.initialization.start_points`.
        half_range: the start's control points span [-half_range, half_range].
        generator: source of a random start; None is torch's global one.

    Attributes:
        c_first: the leftmost control point's abscissa, a parameter (A, 1).
        raw_gaps: g, a parameter (A, s - 1).
        heights: c_y, a parameter (A, s); with `slopes` only the leftmost point's, (A, 1).
        secants: m, a parameter (A, s - 1); None without `slopes`.

    Raises:
        ValueError: an argument is out of range, or the start's points lie closer than min_gap.
    """

    splines: ClassVar[bool] = True
    shown: ClassVar[tuple[str, ...]] = ("s", "k", "min_gap")

    def __init__(
        self,
        s: int = 3,
        k: int = 3,
        channels: Channels = None,
        *,
        min_gap: float = 0.01,
        slopes: bool = False,
        init: str = "relu_like",
        half_range: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(channels)
        c_x, c_y = start_points(self.functions, s, k, init, half_range, generator)
        # An evenly spaced start has gaps of 2 half_range / (s - 1), and softplus(g) is positive.
        check_number("min_gap", min_gap, above=0, below=2 * half_range / (s - 1))
        check_flag("slopes", slopes)
        warn_if_unsound(s, k)
        self.s, self.k, self.min_gap = s, k, min_gap
        c_x, order = c_x.sort(dim=1)
        c_y = c_y.gather(1, order)
        # Only random starts have gaps below min_gap. They are widened to a little more, since no
        # finite g gives min_gap itself.
        excess = (c_x.diff(dim=1) - min_gap).clamp_min(1e-3 * min_gap)
        self.c_first = as_parameter(c_x[:, :1])
        # log(expm1(y)) is the inverse of softplus.
        self.raw_gaps = as_parameter(torch.expm1(excess).log())
        self.heights = as_parameter(c_y[:, :1] if slopes else c_y)
        self.secants = None
        if slopes:
            self.secants = as_parameter(c_y.diff(dim=1) / (min_gap + excess))

    @property
    def c_x(self) -> Float[Tensor, "A s"]:
        """Abscissas of the control points, ascending."""
        return torch.cat([self.c_first, self.c_first + self._gaps().cumsum(dim=1)], dim=1)

    @property
    def c_y(self) -> Float[Tensor, "A s"]:
        """Heights of the control points."""
        if self.secants is None:
            return self.heights
        rises = self.secants * self._gaps()
        return torch.cat([self.heights, self.heights + rises.cumsum(dim=1)], dim=1)

    def _gaps(self) -> Tensor:
        return self.min_gap + F.softplus(self.raw_gaps)

    def points(self) -> tuple[Float[Tensor, "A s"], Float[Tensor, "A s"]]:
        """Return the control points c_x and c_y of all functions."""
        return self.c_x, self.c_y
