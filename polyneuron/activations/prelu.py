"""PReLU: He, Zhang, Ren and Sun, Delving Deep into Rectifiers, ICCV 2015 (arXiv 1502.01852)."""

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.kernels.function import Function
from polyneuron.kernels.prelu.formula import PRELU
from polyneuron.options import check_number
from polyneuron.scope import Channels


class PReLU(Activation):
    """max(x, 0) + a min(x, 0).

    Args:
        channels: see `Activation`.
        a: start of the learned slope; the default is the paper's.

    Attributes:
        a: slope for x < 0, a parameter (A,).

    Raises:
        ValueError: a is not a finite number.
    """

    def __init__(self, channels: Channels = None, *, a: float = 0.25) -> None:
        super().__init__(channels)
        check_number("a", a)
        # float: of an int, torch.full would make integers, which cannot be learned.
        self.a = nn.Parameter(torch.full((self.functions,), float(a)))

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return PReLU's function with its slope."""
        return PRELU, (self.a,)
