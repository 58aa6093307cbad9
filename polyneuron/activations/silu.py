"""SiLU: Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units, arXiv 1702.03118, 2017."""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from polyneuron.activations.activation import Activation


class SiLU(Activation):
    """x sigmoid(x)."""

    learned: ClassVar[bool] = False

    def _response(self, x: Tensor) -> Tensor:
        return F.silu(x)
