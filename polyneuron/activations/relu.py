"""ReLU: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, 2010."""

from typing import ClassVar

from torch import Tensor

from polyneuron.activations.activation import Activation
from polyneuron.kernels.function import Function
from polyneuron.kernels.relu.formula import RELU


class ReLU(Activation):
    """max(x, 0)."""

    learned: ClassVar[bool] = False

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return ReLU's function, which has no parameters."""
        return RELU, ()
