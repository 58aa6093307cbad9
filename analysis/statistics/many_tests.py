"""Many verdicts: the level at which each would still be given, and which stand among all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

LEAST = 1e-6
"""Smaller levels are not told apart."""


def smallest_level(given: Callable[[float], bool], most: float) -> float:
    """Return the smallest level at which a decision is still made: its p value.

    Args:
        given: says whether the decision is made at a level; never for a level below one at which
            it is not.
        most: a level at which the decision is made.

    Returns:
        The level, at most 1 % too large, and at least 1e-6.
    """
    if given(LEAST):
        return LEAST
    low, high = math.log(LEAST), math.log(most)
    while high - low > 0.01:
        middle = (low + high) / 2
        if given(math.exp(middle)):
            high = middle
        else:
            low = middle
    return math.exp(high)


def surviving(p_values: Sequence[float], rate: float = 0.05) -> list[bool]:
    """Return which p values stand at a false discovery rate (Benjamini, Hochberg 1995)."""
    p = np.asarray(p_values, dtype=float)
    ranked = np.sort(p)
    passing = ranked[ranked <= rate * np.arange(1, len(p) + 1) / max(len(p), 1)]
    return [bool(one <= passing[-1]) for one in p] if len(passing) else [False] * len(p)
