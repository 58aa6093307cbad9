"""Many verdicts: the level at which each would still be given, and which stand among all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.statistics.looks import look_levels

_LEAST, _MOST = 1e-12, 0.999


def overall_level(fractions: tuple[float, ...], p: float) -> float:
    """Return the least level of all looks together at which the last of them decides on a p value.

    The inverse of `look_levels` at its last look, within 0.01 %: the p value of a verdict.

    Args:
        fractions: as `look_levels` takes them.
        p: two-sided, of the test at the last look.

    Returns:
        The level; 1 where no level decides, at least 1e-12.
    """
    low, high = math.log(_LEAST), math.log(_MOST)
    if not look_levels(fractions, _MOST)[-1] >= p:
        return 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        if look_levels(fractions, math.exp(middle))[-1] >= p:
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
