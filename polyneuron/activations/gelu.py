"""GELU: Hendrycks and Gimpel, Gaussian Error Linear Units, arXiv 1606.08415, 2016."""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from polyneuron.activations.activation import Activation


class GELU(Activation):
    """x Phi(x), Phi the standard normal distribution function."""

    learned: ClassVar[bool] = False

    def _response(self, x: Tensor) -> Tensor:
        return F.gelu(x)
