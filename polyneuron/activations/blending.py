"""Adaptive blending units: Sütfeld, Brieger, Finger, Füllhase and Pipa, arXiv 1806.10064, 2018."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from polyneuron.activations.activation import Activation
from polyneuron.scope import Channels, spread


class AdaptiveBlending(Activation):
    """A learned sum of tanh, ELU, ReLU, the identity and Swish, with free weights.

    All five weights start at 1/5, as the authors' do.
    """

    def __init__(self, channels: Channels = None) -> None:
        super().__init__(channels)
        self.weights = nn.Parameter(torch.full((self.functions, 5), 0.2))

    def _response(self, x: Tensor) -> Tensor:
        tanh, elu, relu, identity, swish = (spread(row, x) for row in self.weights.unbind(1))
        blend = tanh * torch.tanh(x) + elu * F.elu(x) + relu * torch.relu(x)
        return blend + identity * x + swish * F.silu(x)
