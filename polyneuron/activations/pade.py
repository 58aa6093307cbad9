"""Padé activation units: Molina, Schramowski and Kersting, ICLR 2020 (arXiv 1907.06732)."""

import functools

import numpy as np
import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.kernels.function import Function
from polyneuron.kernels.pade.formula import PADE
from polyneuron.scope import Channels

FIT_RANGE = 3.0
"""The start is fitted on [-3, 3]."""

LEAK = 0.01
"""Slope for x < 0 of the leaky ReLU to which the start is fitted."""


class PadeUnit(Activation):
    """(a_0 + a_1 x + ... + a_5 x^5) / (1 + |b_1 x + ... + b_4 x^4|), the paper's safe form.

    The start is a least-squares fit on [-3, 3] to the leaky ReLU of slope 0.01, the paper's default
    target. With the degrees 5 and 4 both tails end on lines of the same slope. In float32, x^5
    overflows at |x| = 5e7.

    Attributes:
        a: numerator, constant first, a parameter (A, 6).
        b: denominator, linear term first, a parameter (A, 4).
    """

    def __init__(self, channels: Channels = None) -> None:
        super().__init__(channels)
        a, b = (torch.tensor(row, dtype=torch.get_default_dtype()) for row in leaky_relu_fit())
        self.a = nn.Parameter(a.expand(self.functions, -1).clone())
        self.b = nn.Parameter(b.expand(self.functions, -1).clone())

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]]:
        """Return the rational function with its coefficients."""
        return PADE, (self.a, self.b)


@functools.cache
def leaky_relu_fit() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Fit numerator and denominator of the start.

    The target is max(x, 0) + 0.01 min(x, 0) = 0.505 x + 0.495 |x|, so only |x| has to be fitted, by
    an even function p(x) / (1 + b(x)) with p = p_0 + p_2 x^2 + p_4 x^4 and b = b_2 x^2 + b_4 x^4.
    Each round solves p - b |x| = |x| by least squares, divided by the denominator that the round
    before has found (Sanathanan and Koerner, 1963).

    Returns:
        The coefficients a of the numerator and b of the denominator, as in `PadeUnit`.
    """
    x = np.linspace(0, FIT_RANGE, 301)  # not negative, so |x| is x
    even = np.stack([np.ones_like(x), x**2, x**4], axis=1)
    design = np.concatenate([even, -even[:, 1:] * x[:, None]], axis=1)
    weight = np.ones_like(x)
    for _ in range(20):  # each round brings the coefficients 3.6 times closer: to 1e-10
        p0, p2, p4, b2, b4 = np.linalg.lstsq(design / weight[:, None], x / weight, rcond=None)[0]
        weight = 1 + b2 * x**2 + b4 * x**4
    odd, part = (1 + LEAK) / 2, (1 - LEAK) / 2
    a = (part * p0, odd, part * p2, odd * b2, part * p4, odd * b4)
    return tuple(float(n) for n in a), (0.0, float(b2), 0.0, float(b4))
