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
    r = np.abs(x[..., :, None] - c_x[..., None, :])
    terms = r**k if k % 2 else r**k * np.log(np.where(r > 0, r, 1))
    return (terms * w[..., None, :]).sum(-1) + v0[..., None] * x + v1[..., None]


def slope(x: np.ndarray, c_x: np.ndarray, w: np.ndarray, v0: np.ndarray, k: int) -> np.ndarray:
    """Return dy/dx (..., n) at x (..., n); at a control point of k = 1, the mean of both sides."""
    d = x[..., :, None] - c_x[..., None, :]
    r = np.abs(d)
    if k % 2:
        terms = k * np.sign(d) * r ** (k - 1)
    else:
        logs = np.log(np.where(r > 0, r, 1))
        terms = np.sign(d) * r ** (k - 1) * (k * logs + 1)
    return (terms * w[..., None, :]).sum(-1) + v0[..., None]
