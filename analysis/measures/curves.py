"""Eq. 1, its derivatives and their size on stored coefficients, in numpy.

Letters as in the paper: c_x places of the control points (..., s), w their weights (..., s),
v0 and v1 the slope and offset of the linear part (...), k the order of U_k. Curves have x (..., n).
"""

from __future__ import annotations

import numpy as np

from analysis.statistics.intervals import Floats


def evaluate(x: Floats, c_x: Floats, w: Floats, v0: Floats, v1: Floats, k: int) -> Floats:
    """Return y (..., n) of eq. 1 at x (..., n)."""
    spline: Floats = (_basis(_differences(x, c_x), k) * w[..., None, :]).sum(-1)
    return spline + v0[..., None] * x + v1[..., None]


def slope(x: Floats, c_x: Floats, w: Floats, v0: Floats, k: int) -> Floats:
    """Return dy/dx (..., n) at x (..., n); at a control point of k = 1, the mean of both sides."""
    spline: Floats = (_basis_slope(_differences(x, c_x), k) * w[..., None, :]).sum(-1)
    return spline + v0[..., None]


def sensitivity(x: Floats, c_x: Floats, w: Floats, k: int) -> Floats:
    """Return the norm (..., n) of y(x)'s gradient with respect to c_x, w, v0 and v1 of eq. 1.

    PolyNeuron-R alone learns all four freely.
    """
    d = _differences(x, c_x)
    by_w, by_c_x = _basis(d, k), w[..., None, :] * _basis_slope(d, k)
    squares: Floats = (by_w**2 + by_c_x**2).sum(-1) + x**2 + 1
    return np.sqrt(squares)


def _differences(x: Floats, c_x: Floats) -> Floats:
    """Return x - c_x, (..., n, s)."""
    return x[..., :, None] - c_x[..., None, :]


def _basis(d: Floats, k: int) -> Floats:
    """Return U_k(|d|)."""
    r = np.abs(d)
    powers: Floats = r**k
    # r^k log r tends to 0 at r = 0, where the product of 0 and -infinity would be NaN
    return powers if k % 2 else powers * np.log(np.where(r > 0, r, 1))


def _basis_slope(d: Floats, k: int) -> Floats:
    """Return dU_k(|d|)/dd."""
    r = np.abs(d)
    powers: Floats = np.sign(d) * r ** (k - 1)
    return k * powers if k % 2 else powers * (k * np.log(np.where(r > 0, r, 1)) + 1)
