"""SReLU: Jin et al., Deep Learning with S-shaped Rectified Linear Activation Units, AAAI 2016."""

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.kernels.function import Function
from polyneuron.kernels.srelu.formula import SRELU
from polyneuron.options import check_number
from polyneuron.scope import Channels


class SReLU(Activation):
    """x between two learned thresholds, straight lines of learned slope beyond them.

    y = x + (a_left - 1) min(x - t_left, 0) + (a_right - 1) max(x - t_right, 0), which is the
    paper's three pieces for t_left <= t_right and stays continuous when they cross.

    The start is a leaky ReLU, as in the paper. The paper then sets t_right from the layer's inputs
    after some epochs. Here t_right starts at 1, one standard deviation of normalised inputs; it has
    no gradient until a_right has left 1.

    Args:
        channels: see `Activation`.
        t_left: start of the left threshold.
        a_left: start of the slope left of it.
        t_right: start of the right threshold.
        a_right: start of the slope right of it.

    Attributes:
        t_left: left threshold, a parameter (A,); likewise a_left, t_right and a_right.

    Raises:
        ValueError: a start is not a finite number.
    """

    t_left: nn.Parameter
    a_left: nn.Parameter
    t_right: nn.Parameter
    a_right: nn.Parameter

    def __init__(
        self,
        channels: Channels = None,
        *,
        t_left: float = 0.0,
        a_left: float = 0.25,
        t_right: float = 1.0,
        a_right: float = 1.0,
    ) -> None:
        super().__init__(channels)
        starts = {"t_left": t_left, "a_left": a_left, "t_right": t_right, "a_right": a_right}
        for name, start in starts.items():
            check_number(name, start)
            setattr(self, name, nn.Parameter(torch.full((self.functions,), float(start))))

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return SReLU's function with both of its outer lines."""
        lines = (self.t_left, self.a_left, self.t_right, self.a_right)
        return SRELU, (torch.stack(lines, dim=1),)
