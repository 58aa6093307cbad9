"""ReLU: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, 2010."""

from typing import ClassVar

from torch import Tensor

from polyneuron.activations.activation import Activation
from polyneuron.kernels.functions import RELU, Function


class ReLU(Activation):
    """max(x, 0)."""

    learned: ClassVar[bool] = False

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return ReLU's function, which has no parameters."""
        return RELU, ()
