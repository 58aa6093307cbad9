"""The cubic Hermite spline with straight tails."""

from dataclasses import replace

import torch
from torch import Tensor

from polyneuron.kernels.function import Function, smooth_rows
from polyneuron.natural_spline import differences
from polyneuron.scope import spread


def hermite_spline(x: Tensor, c_x: Tensor, c_y: Tensor, m: Tensor) -> Tensor:
    """Value at x of the cubic Hermite spline with straight tails.

    Args:
        x: any shape with A = 1; (N, C, ...) with A = C or A = the elements of a sample.
        c_x: knots (A, s), ascending.
        c_y: values at the knots (A, s).
        m: slopes at the knots (A, s).
    """
    h = differences(c_x)
    secant = differences(c_y) / h
    b2 = (3 * secant - 2 * m[:, :-1] - m[:, 1:]) / h
    b3 = (m[:, :-1] + m[:, 1:] - 2 * secant) / h.square()
    y = spread(c_y[:, 0], x) + spread(m[:, 0], x) * (x - spread(c_x[:, 0], x))
    for j in range(h.shape[1]):
        t = x - spread(c_x[:, j], x)
        piece = spread(b2[:, j], x) + spread(b3[:, j], x) * t
        piece = spread(c_y[:, j], x) + t * (spread(m[:, j], x) + t * piece)
        y = torch.where(t >= 0, piece, y)
    t = x - spread(c_x[:, -1], x)
    return torch.where(t >= 0, spread(c_y[:, -1], x) + spread(m[:, -1], x) * t, y)


HERMITE = Function("hermite", hermite_spline, "Hermite<{s}>", smooth_rows)
"""Parameters: knots (A, s) ascending, heights and slopes at them (A, s)."""

EVEN = replace(HERMITE, cpp_type="EvenHermite<{s}>")
"""The same for at least 3 knots that are evenly spaced: x's interval is computed, where `HERMITE`
visits all. That pays for more than a few knots. By name, and on a GPU, it is `HERMITE`."""
