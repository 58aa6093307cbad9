"""PolyNeuron: Hryniowski and Wong, PolyNeuron: Automatic Neuron Discovery, 2018, Eq. 1-3."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from polyneuron.activations.interpolating import Interpolating
from polyneuron.initialization import as_parameter, start_points, warn_if_unsound
from polyneuron.scope import Channels

if TYPE_CHECKING:
    from jaxtyping import Float


class PolyNeuron(Interpolating):
    """The polyharmonic spline through s learned control points.

    >>> activation = PolyNeuron(s=3, k=3)
    >>> activation(torch.tensor([-5.0, 0.0, 5.0])).tolist()  # the paper's start: not quite ReLU
    [1.0, 0.0, 6.0]

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

    splines: ClassVar[bool] = True
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
        self.c_x, self.c_y = as_parameter(c_x), as_parameter(c_y)

    def points(self) -> tuple[Float[Tensor, "A s"], Float[Tensor, "A s"]]:
        """Return the control points c_x and c_y of all functions."""
        return self.c_x, self.c_y
