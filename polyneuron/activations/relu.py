"""ReLU: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, 2010."""

from typing import ClassVar

import torch
from torch import Tensor

from polyneuron.activations.activation import Activation


class ReLU(Activation):
    """max(x, 0)."""

    learned: ClassVar[bool] = False

    def _response(self, x: Tensor) -> Tensor:
        return torch.relu(x)
