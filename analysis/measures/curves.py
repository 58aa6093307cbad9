"""Eq. 1 and its derivative on stored coefficients.

Letters as in the paper: c_x places of the control points (..., s), w their weights (..., s),
v0 and v1 the slope and offset of the linear part (...), k the order of U_k. Curves have x (..., n).
"""

from __future__ import annotations

import numpy as np


def evaluate(
    x: np.ndarray, c_x: np.ndarray, w: np.ndarray, v0: np.ndarray, v1: np.ndarray, k: int
) -> np.ndarray:
    """Return y (..., n) of eq. 1 at x (..., n)."""
    terms = _basis(x[..., :, None] - c_x[..., None, :], k)
    return (terms * w[..., None, :]).sum(-1) + v0[..., None] * x + v1[..., None]


def slope(x: np.ndarray, c_x: np.ndarray, w: np.ndarray, v0: np.ndarray, k: int) -> np.ndarray:
    """Return dy/dx (..., n) at x (..., n); at a control point of k = 1, the mean of both sides."""
    terms = _basis_slope(x[..., :, None] - c_x[..., None, :], k)
    return (terms * w[..., None, :]).sum(-1) + v0[..., None]


def sensitivity(x: np.ndarray, c_x: np.ndarray, w: np.ndarray, k: int) -> np.ndarray:
    """Return the norm (..., n) of y(x)'s derivative by all of eq. 1's parameters: c_x, w, v0, v1.

    They are free in PolyNeuron-R alone.
    """
    d = x[..., :, None] - c_x[..., None, :]
    by_w, by_c_x = _basis(d, k), w[..., None, :] * _basis_slope(d, k)
    return np.sqrt((by_w**2 + by_c_x**2).sum(-1) + x**2 + 1)


def _basis(d: np.ndarray, k: int) -> np.ndarray:
    """Return U_k(|d|)."""
    r = np.abs(d)
    return r**k if k % 2 else r**k * np.log(np.where(r > 0, r, 1))


def _basis_slope(d: np.ndarray, k: int) -> np.ndarray:
    """Return its derivative by d."""
    r = np.abs(d)
    if k % 2:
        return k * np.sign(d) * r ** (k - 1)
    return np.sign(d) * r ** (k - 1) * (k * np.log(np.where(r > 0, r, 1)) + 1)
