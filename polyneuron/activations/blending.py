"""Adaptive blending units: Sütfeld, Brieger, Finger, Füllhase and Pipa, arXiv 1806.10064, 2018."""

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.kernels.blending.formula import BLENDING
from polyneuron.kernels.function import Function
from polyneuron.scope import Channels


class AdaptiveBlending(Activation):
    """A learned sum of tanh, ELU, ReLU, the identity and Swish, with free weights.

    All five weights start at 1/5, as the authors' do.

    Attributes:
        weights: of the five functions in the order above, a parameter (A, 5).
    """

    def __init__(self, channels: Channels = None) -> None:
        super().__init__(channels)
        self.weights = nn.Parameter(torch.full((self.functions, 5), 0.2))

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return the blend's function with its weights."""
        return BLENDING, (self.weights,)
