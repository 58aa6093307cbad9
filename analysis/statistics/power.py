"""How many seeds a question needs, and what so many seeds can see.

All for two arms of equally many runs with one normal deviation, estimated from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
import scipy

from analysis.statistics.intervals import t_quantile

Test = Literal["difference", "no_gain", "equivalence"]
"""`difference`: two-sided, at 5 %. `no_gain`: a one-sided 95 % bound below a margin, if the true
gain is 0. `equivalence`: TOST within ±margin, if the true difference is 0."""

_MOST_SEEDS = 1_000_000


def power(test: Test, gap: float, deviation: float, runs: int, alpha: float = 0.05) -> float:
    """Return how often the test succeeds.

    Args:
        test: which one.
        gap: the true difference, or for `no_gain` and `equivalence` the margin.
        deviation: between runs of one arm, in the gap's unit.
        runs: of each arm.
        alpha: level of the test.
    """
    if runs < 2:
        return 0.0
    freedom, shift = 2 * runs - 2, abs(gap) / (deviation * math.sqrt(2 / runs))
    critical = t_quantile(1 - alpha / 2 if test == "difference" else 1 - alpha, freedom)
    if test == "equivalence":
        # it can succeed only while the interval's half-width is below the margin
        return _over_deviations(
            lambda s: 1 - 2 * scipy.special.ndtr(np.minimum(critical * s - shift, 0)),
            freedom,
            (shift / critical) ** 2,
        )
    beyond = _over_deviations(lambda s: scipy.special.ndtr(shift - critical * s), freedom)
    if test == "difference":
        beyond += _over_deviations(lambda s: scipy.special.ndtr(-shift - critical * s), freedom)
    return beyond


def seeds_needed(test: Test, gap: float, deviation: float, wanted: float = 0.8) -> int | None:
    """Return the fewest runs of each arm with this power; None beyond a million."""
    if not (gap and deviation > 0):
        return None if deviation > 0 else 2
    high = 2
    while power(test, gap, deviation, high) < wanted:
        high *= 2
        if high > _MOST_SEEDS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if power(test, gap, deviation, middle) >= wanted else (middle, high)
        )
    return high


def detectable_gap(test: Test, deviation: float, runs: int, wanted: float = 0.8) -> float:
    """Return the smallest gap (or margin) that so many runs of each arm find with this power."""
    if runs < 2 or not deviation > 0:
        return math.nan

    def shortfall(gap: float) -> float:
        return power(test, gap, 1.0, runs) - wanted

    # two runs an arm need about 30 deviations for the hardest of the tests
    return deviation * float(scipy.optimize.brentq(shortfall, 0, 1e3, xtol=1e-9))


def _over_deviations(
    chance: Callable[[np.ndarray], np.ndarray], freedom: int, most: float = math.inf
) -> float:
    """Return the mean of a chance over the estimated deviation s, in units of the true one.

    s² freedom is chi-squared; only s² up to `most` counts. SciPy's noncentral t is NaN for the
    large shifts that a search for a detectable gap passes through.
    """
    half = freedom / 2
    top = float(scipy.special.gammainc(half, half * most))
    nodes, weights = _quadrature()
    s = np.sqrt(scipy.special.gammaincinv(half, 0.5 * top * (nodes + 1)) / half)
    return float(0.5 * top * np.sum(weights * chance(s)))


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(200)
    return nodes, weights
