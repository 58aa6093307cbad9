"""Functions with known minima, on which searches are compared."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

BRANIN = 0.39788735772973816
"""The minimum of `branin`."""
HARTMANN6 = -3.32236801141551
"""The minimum of `hartmann6`."""


def branin(x: Sequence[float]) -> float:
    """Return Branin's function of x in [0, 1] x [0, 1], which are mapped to its usual box."""
    a, b = 15 * x[0] - 5, 15 * x[1]
    bent = b - 5.1 / (4 * math.pi**2) * a**2 + 5 / math.pi * a - 6
    return bent**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10


_A = [
    [10, 3, 17, 3.5, 1.7, 8],
    [0.05, 10, 17, 0.1, 8, 14],
    [3, 3.5, 1.7, 10, 17, 8],
    [17, 8, 0.05, 10, 0.1, 14],
]
_P = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]


def hartmann6(x: Sequence[float]) -> float:
    """Return Hartmann's function of six dimensions in [0, 1]."""
    far = (np.array(_A) * (np.array(x) - np.array(_P)) ** 2).sum(1)
    return -float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-far))
