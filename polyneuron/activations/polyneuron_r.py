"""PolyNeuron-R: Hryniowski and Wong, PolyNeuron: Automatic Neuron Discovery, 2018, §2.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from polyneuron.activations.activation import Activation
from polyneuron.initialization import as_parameter, start_coefficients, warn_if_unsound
from polyneuron.kernels import evaluate
from polyneuron.kernels.function import Function
from polyneuron.kernels.hermite.formula import HERMITE
from polyneuron.kernels.radial.formula import radial
from polyneuron.options import check_number
from polyneuron.scope import Channels

if TYPE_CHECKING:
    from jaxtyping import Float

LEAST_GAP = 1e-3
"""Between two knots: float32 still resolves the slope of a rise so short."""


class PolyNeuronR(Activation):
    """Eq. 1 with every coefficient learned; `penalties` replaces the constraints of Eq. 2.

    The tails grow like |x|^k as soon as sum_i w_i leaves 0. They soon overflow float16, whose
    largest number is 65504: use bfloat16.

    Args:
        s: number of control points, at least 2.
        k: order of U_k, at least 1.
        channels: see `Activation`.
        init: how the control points start, see `polyneuron.initialization.start_coefficients`.
        half_range: the start's control points span [-half_range, half_range].
        tail_range: None, or T: beyond -T and T the function goes on as its tangent there, and
            eq. 1 holds between them. Beyond its outermost control point, where that is further out.
            It departs from the paper, and needs k = 3.
        generator: source of a random start; None is torch's global one.

    Attributes:
        c_x: abscissas of the control points, a parameter (A, s).
        w: weights, a parameter (A, s).
        v: slope and offset, a parameter (A, 2).

    Raises:
        SingularSystemError: Eq. 2 has no solution at the start (even k of at least 4).
        ValueError: an argument is out of range.
    """

    splines: ClassVar[bool] = True
    penalised: ClassVar[bool] = True
    shown: ClassVar[tuple[str, ...]] = ("s", "k")

    def __init__(
        self,
        s: int = 3,
        k: int = 3,
        channels: Channels = None,
        *,
        init: str = "relu_like",
        half_range: float = 1.0,
        tail_range: float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(channels)
        if tail_range is not None:
            check_number("tail_range", tail_range, above=0)
            if k != 3:
                raise ValueError(f"tail_range needs k = 3, got k = {k}: leave one of them out")
        c_x, w, v = start_coefficients(self.functions, s, k, init, half_range, generator)
        warn_if_unsound(s, k)
        self.s, self.k, self.tail_range = s, k, tail_range
        # Solved in float64 and rounded once.
        self.c_x, self.w, self.v = as_parameter(c_x), as_parameter(w), as_parameter(v)

    @property
    def c_y(self) -> Float[Tensor, "A s"]:
        """Heights of the functions at their control points."""
        return evaluate(self.c_x.T, self.c_x, self.w, self.v, self.k).T

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return Eq. 1 with its coefficients, or the spline that it is with straight tails."""
        if self.tail_range is None:
            return radial(self.k), (self.c_x, self.w, self.v)
        return HERMITE, self._straightened(self.tail_range)

    def _straightened(self, tail_range: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return knots, heights and slopes (A, s + 2) of Eq. 1, whose outermost knots are its ends.

        Between its control points Eq. 1 of order 3 is cubic, and so the spline through its heights
        and slopes there. Values do not depend on where else knots are: none has a gradient.
        """
        with torch.no_grad():
            ends = self.c_x.new_full((self.functions, 1), tail_range)
            knots = torch.cat([-ends, self.c_x.sort(1).values, ends], dim=1)
            knots[:, :1] = torch.minimum(knots[:, :1], knots[:, 1:2])
            # Points that meet are moved apart, by less than changes a value: a gap of 0 has no
            # slope.
            steps = LEAST_GAP * torch.arange(self.s + 2, dtype=knots.dtype, device=knots.device)
            knots = (knots - steps).cummax(1).values + steps
        d = knots[:, :, None] - self.c_x[:, None]
        weighted = self.w[:, None] * d * d.abs()
        heights = (weighted * d).sum(2) + self.v[:, :1] * knots + self.v[:, 1:]
        return knots, heights, 3 * weighted.sum(2) + self.v[:, :1]

    def points(self) -> tuple[Float[Tensor, "A s"], Float[Tensor, "A s"]]:
        """Return c_x, which is learned, and c_y, which follows from it and the coefficients."""
        return self.c_x, self.c_y

    def coefficients(self) -> tuple[Float[Tensor, "A s"], Float[Tensor, "A 2"]]:
        """Return w and v, as `PolyNeuron.coefficients` does; here they are parameters."""
        return self.w, self.v

    def extra_repr(self) -> str:
        """Return the options that `repr` shows, `tail_range` if there is one."""
        shown = super().extra_repr()
        return shown if self.tail_range is None else f"tail_range={self.tail_range}, {shown}"
