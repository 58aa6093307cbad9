"""Mish: Misra, A Self Regularized Non-Monotonic Activation Function, arXiv 1908.08681, 2019."""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from polyneuron.activations.activation import Activation


class Mish(Activation):
    """x tanh(softplus(x))."""

    learned: ClassVar[bool] = False

    def _response(self, x: Tensor) -> Tensor:
        return F.mish(x)
