"""Padé units, a polynomial divided by 1 + |another|."""

import torch
from torch import Tensor

from polyneuron.kernels.function import Function, Parameters, smooth_row
from polyneuron.scope import spread


def pade(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return (a_0 + ... + a_{s-1} x^{s-1}) / (1 + |b_1 x + ... + b_{s-2} x^{s-2}|).

    Args:
        x: any shape with A = 1; (N, C, ...) with A = C or A = the elements of a sample.
        a: numerator (A, s), constant first.
        b: denominator (A, s - 2), b_1 first.
    """
    return _horner(a, x) / (1 + torch.abs(x * _horner(b, x)))


def _horner(coefficients: Tensor, x: Tensor) -> Tensor:
    *lower, y = (spread(column, x) for column in coefficients.unbind(1))
    for term in reversed(lower):
        y = y * x + term
    return y


def _example(s: int) -> Parameters:
    return *smooth_row(s), *smooth_row(s - 2)


PADE = Function("pade", pade, "Pade<{s}>", _example)
"""Parameters: numerator a (A, s) from a_0 on, denominator b (A, s - 2) from b_1 on."""
