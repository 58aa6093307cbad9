"""Swish: Ramachandran, Zoph and Le, Searching for Activation Functions, 2018."""

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.kernels.function import Function
from polyneuron.kernels.swish.formula import SWISH
from polyneuron.options import check_flag, check_number
from polyneuron.scope import Channels


class Swish(Activation):
    """x sigmoid(beta x) with a learned beta.

    Args:
        channels: see `Activation`.
        beta: start of beta; 1, the paper's, is SiLU.
        learn_beta: False keeps beta at its start.

    Attributes:
        beta: a parameter (A,).

    Raises:
        ValueError: an option is of the wrong type.
    """

    def __init__(
        self, channels: Channels = None, *, beta: float = 1.0, learn_beta: bool = True
    ) -> None:
        super().__init__(channels)
        check_number("beta", beta)
        check_flag("learn_beta", learn_beta)
        # A fixed beta is a parameter too, so that state_dict holds it.
        self.beta = nn.Parameter(torch.full((self.functions,), float(beta)), learn_beta)

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return Swish's function with its beta."""
        return SWISH, (self.beta,)
