"""Activation ensembles: Harmon and Klabjan, arXiv 1702.07790, 2017."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.kernels.ensemble.formula import ENSEMBLE
from polyneuron.kernels.extremes import with_extremes
from polyneuron.kernels.function import Function
from polyneuron.kernels.operators import apply
from polyneuron.kernels.plain import wide_dtype
from polyneuron.options import check_number
from polyneuron.scope import Channels

if TYPE_CHECKING:
    from jaxtyping import Float

MEMBERS = (torch.sigmoid, torch.tanh, torch.relu)
"""The functions h_j before normalisation, in the order of `polyneuron.kernels.ensemble.formula`."""

START_RANGE = 3.0
"""Before any batch, members are normalised for inputs on [-3, 3]: three standard deviations."""


class ActivationEnsemble(Activation):
    """sum_j alpha_j (eta_j h_j(x) + delta_j) over sigmoid, tanh and ReLU.

    h_j is member j brought to [0, 1] by its least and largest value. Training takes these from the
    batch, evaluation from running means. The paper projects alpha onto the simplex after every
    step; here alpha = softmax(logits) never leaves the simplex. The start is alpha = 1/3, eta = 1,
    delta = 0.

    Args:
        channels: see `Activation`.
        momentum: weight of the newest batch in the running means, as in batch normalisation.

    Attributes:
        logits: alpha before the softmax, a parameter (A, 3).
        eta: scales of the members, a parameter (A, 3).
        delta: offsets of the members, a parameter (A, 3).
        low: running means of the members' least values, a buffer (A, 3).
        high: running means of the members' largest values, a buffer (A, 3).

    Raises:
        ValueError: momentum is not in (0, 1].
    """

    low: Tensor
    high: Tensor

    def __init__(self, channels: Channels = None, *, momentum: float = 0.1) -> None:
        super().__init__(channels)
        check_number("momentum", momentum, above=0, most=1)
        self.momentum = momentum
        shape = (self.functions, len(MEMBERS))
        self.logits = nn.Parameter(torch.zeros(shape))
        self.eta = nn.Parameter(torch.ones(shape))
        self.delta = nn.Parameter(torch.zeros(shape))
        ends = torch.tensor([-START_RANGE, START_RANGE])
        low, high = torch.stack([member(ends) for member in MEMBERS]).unbind(1)
        self.register_buffer("low", low.expand(shape).clone())
        self.register_buffer("high", high.expand(shape).clone())

    @torch.no_grad()
    def curve(self, grid: Float[Tensor, " n"]) -> Float[Tensor, "A n"]:
        """Return the values at the points of a grid, normalised by the running means."""
        function, weights = self._normalised(self.low, self.high)
        return apply(function, grid[:, None].expand(-1, self.functions), weights).T

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]] | None:
        """Return the ensemble in evaluation; None in training, where it depends on the input."""
        return None if self.training else self._normalised(self.low, self.high)

    def _widened_response(self, x: Tensor) -> Tensor:
        if not self.training or x.numel() == 0:  # an empty batch has no least value
            function, weights = self._normalised(self.low, self.high)
            return apply(function, x, weights)
        x, *ends = with_extremes(x, self.functions)
        # Every member is monotone, so its extremes lie at those of the input.
        low, high = (
            torch.stack([member(end.to(wide_dtype(x))) for member in MEMBERS], dim=1)
            for end in ends
        )
        self.low.lerp_(low.detach().to(self.low.dtype), self.momentum)
        self.high.lerp_(high.detach().to(self.high.dtype), self.momentum)
        function, weights = self._normalised(low, high)
        return apply(function, x, weights)

    def _normalised(self, low: Tensor, high: Tensor) -> tuple[Function, tuple[Tensor, ...]]:
        alpha = torch.softmax(self.logits, dim=1)
        # Where all inputs are equal, high - low is 0: hence 1e-5.
        scale = alpha * self.eta / (high - low + 1e-5)
        offset = (alpha * self.delta - scale * low).sum(1, keepdim=True)
        return ENSEMBLE, (torch.cat([scale, offset], dim=1),)
