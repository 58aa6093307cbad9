"""Eq. 1, a sum of radial basis functions and a straight line."""

import torch
from torch import Tensor

from polyneuron.basis import basis
from polyneuron.kernels.function import Function, Parameters, two_smooth_rows
from polyneuron.scope import spread


def radial_sum(x: Tensor, c_x: Tensor, w: Tensor, v: Tensor, k: int) -> Tensor:
    """Eq. 1: y = sum_i w_i U_k(|x - c_i|) + v_0 x + v_1.

    Args:
        x: any shape with A = 1; (N, C, ...) with A = C or A = the elements of a sample.
        c_x: control points (A, s).
        w: weights (A, s).
        v: slope and offset (A, 2).
        k: order of U_k.
    """
    y = spread(v[:, 0], x) * x + spread(v[:, 1], x)
    for c_i, w_i in zip(c_x.unbind(1), w.unbind(1), strict=True):
        y = y + spread(w_i, x) * basis(torch.abs(x - spread(c_i, x)), k)
    return y


def _example(s: int) -> Parameters:
    return *two_smooth_rows(s), torch.tensor([[0.5, -0.25]])


RADIAL = Function("radial", radial_sum, "Radial<{s}, {k}>", _example)
"""Eq. 1 of any order, which `radial` gives."""


def radial(k: int) -> Function:
    """Eq. 1 of order k; its parameters are c_x (A, s), w (A, s) and v (A, 2)."""
    return RADIAL.of_order(k)
