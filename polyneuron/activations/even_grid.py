"""The fixed, even grid of a spline whose heights alone are learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from polyneuron.activations.activation import Activation
from polyneuron.options import check_integer, check_number
from polyneuron.scope import Channels

if TYPE_CHECKING:
    from jaxtyping import Float


class OnEvenGrid(Activation):
    """A spline on a grid that its options determine.

    Args:
        channels: see `Activation`.
        knots: number of knots, at least 3.
        half_range: the grid spans [-half_range, half_range].

    Attributes:
        grid: the knots, a buffer (knots,) that the state does not hold.

    Raises:
        ValueError: an argument is out of range.
    """

    shown: ClassVar[tuple[str, ...]] = ("knots", "half_range")
    grid: Tensor

    def __init__(self, channels: Channels, knots: int, half_range: float) -> None:
        super().__init__(channels)
        check_integer("knots", knots, least=3)
        check_number("half_range", half_range, above=0)
        self.knots, self.half_range = knots, half_range
        # A buffer moves with the module.
        self.register_buffer("grid", self._even_grid(), persistent=False)

    def _even_grid(self, device: torch.device | None = None) -> Float[Tensor, " knots"]:
        end, dtype = self.half_range, torch.get_default_dtype()
        return torch.linspace(-end, end, self.knots, dtype=dtype, device=device)

    def _load_from_state_dict(self, *arguments: Any, **options: Any) -> None:
        super()._load_from_state_dict(*arguments, **options)
        # A network made on the meta device has no values but the loaded ones.
        loaded = next(self.parameters())
        self.grid = self._even_grid(loaded.device).to(loaded.dtype)
