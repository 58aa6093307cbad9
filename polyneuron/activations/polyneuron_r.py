"""PolyNeuron-R: Hryniowski and Wong, PolyNeuron: Automatic Neuron Discovery, 2018, §2.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.initialization import start_coefficients, warn_if_unsound
from polyneuron.kernels import evaluate
from polyneuron.kernels.function import Function
from polyneuron.kernels.radial.formula import radial
from polyneuron.scope import Channels

if TYPE_CHECKING:
    from jaxtyping import Float


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
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(channels)
        # Solved in float64 and rounded once.
        start = start_coefficients(self.functions, s, k, init, half_range, generator)
        warn_if_unsound(s, k)
        self.s, self.k = s, k
        c_x, w, v = (tensor.to(torch.get_default_dtype()) for tensor in start)
        self.c_x, self.w, self.v = nn.Parameter(c_x), nn.Parameter(w), nn.Parameter(v)

    @property
    def c_y(self) -> Float[Tensor, "A s"]:
        """Heights of the functions at their control points."""
        return evaluate(self.c_x.T, self.c_x, self.w, self.v, self.k).T

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return Eq. 1 with its coefficients."""
        return radial(self.k), (self.c_x, self.w, self.v)

    def points(self) -> tuple[Float[Tensor, "A s"], Float[Tensor, "A s"]]:
        """Return c_x, which is learned, and c_y, which follows from it and the coefficients."""
        return self.c_x, self.c_y

    def coefficients(self) -> tuple[Float[Tensor, "A s"], Float[Tensor, "A 2"]]:
        """Return w and v, as `PolyNeuron.coefficients` does; here they are parameters."""
        return self.w, self.v
