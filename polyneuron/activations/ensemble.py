"""Activation ensembles: Harmon and Klabjan, arXiv 1702.07790, 2017."""

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.options import check_number
from polyneuron.scope import Channels, by_function, spread

MEMBERS = (torch.sigmoid, torch.tanh, torch.relu)

START_RANGE = 3.0
"""Before any training the members are normalised over inputs within three standard deviations."""


class ActivationEnsemble(Activation):
    """sum_j alpha_j (eta_j h_j(x) + delta_j) over sigmoid, tanh and ReLU.

    h_j is member j brought to [0, 1] by its least and largest value in the batch; in evaluation by
    running means of them. The paper projects alpha onto the simplex after every step; here alpha =
    softmax(logits), which keeps it there. The start is alpha = 1/3, eta = 1, delta = 0.

    Args:
        channels: see `Activation`.
        momentum: weight of the newest batch in the running means, as in batch normalisation.

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
    def curve(self, grid: Tensor) -> Tensor:
        """Values (A, n) at the points of a grid (n,), normalised by the running means."""
        return self._blend(grid[:, None].expand(-1, self.functions), self.low, self.high).T

    def _response(self, x: Tensor) -> Tensor:
        if not self.training or x.numel() == 0:
            return self._blend(x, self.low, self.high)
        rows = by_function(x, self.functions)
        low, high = rows.amin(dim=1), rows.amax(dim=1)
        # Every member is monotone: its extremes lie at the input's.
        low = torch.stack([member(low) for member in MEMBERS], dim=1)
        high = torch.stack([member(high) for member in MEMBERS], dim=1)
        self.low.lerp_(low.detach().to(self.low.dtype), self.momentum)
        self.high.lerp_(high.detach().to(self.high.dtype), self.momentum)
        return self._blend(x, low, high)

    def _blend(self, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
        alpha = torch.softmax(self.logits, dim=1)
        scale = alpha * self.eta / (high - low + 1e-5)
        y = spread((alpha * self.delta - scale * low).sum(1), x)
        for j, member in enumerate(MEMBERS):
            y = y + spread(scale[:, j], x) * member(x)
        return y
