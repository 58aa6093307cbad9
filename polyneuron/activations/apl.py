"""Adaptive piecewise linear units: Agostinelli et al., arXiv 1412.6830, 2014."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.kernels.apl.formula import APL as APL_FUNCTION
from polyneuron.kernels.function import Function
from polyneuron.options import check_integer, check_number
from polyneuron.scope import Channels


class APL(Activation):
    """max(0, x) + sum_i a_i max(0, b_i - x), i = 1..s.

    The start is that of the authors' own Caffe layer: a from U(-1, 1) / 2s, b from N(0, 0.5^2).

    Args:
        s: number of hinges.
        channels: see `Activation`.
        a_bound: a starts from U(-a_bound, a_bound); None is 1 / 2s, and 0 is a start as ReLU.
        b_std: b starts from N(0, b_std^2).
        generator: source of the random start; None is torch's global one.

    Attributes:
        a: slopes, a parameter (A, s).
        b: hinges, a parameter (A, s).

    Raises:
        ValueError: s is not an integer of at least 1, or a bound is negative.
    """

    shown: ClassVar[tuple[str, ...]] = ("s",)

    def __init__(
        self,
        s: int = 5,
        channels: Channels = None,
        *,
        a_bound: float | None = None,
        b_std: float = 0.5,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(channels)
        check_integer("s", s, least=1)
        a_bound = 1 / (2 * s) if a_bound is None else a_bound
        check_number("a_bound", a_bound, least=0)
        check_number("b_std", b_std, least=0)
        self.s = s
        shape = (self.functions, s)
        self.a = nn.Parameter(a_bound * (2 * torch.rand(shape, generator=generator) - 1))
        self.b = nn.Parameter(b_std * torch.randn(shape, generator=generator))

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return APL's function with its slopes and hinges."""
        return APL_FUNCTION, (self.a, self.b)
