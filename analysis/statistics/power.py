"""Seeds that a question needs, and the gap that a number of seeds can see.

Both arms have equally many runs and one normal deviation, which is estimated from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Literal

import numpy as np
import scipy

from analysis.statistics.intervals import Floats, t_quantile

Test = Literal["difference", "no_gain", "equivalence"]
"""`difference`: two-sided, at 5 %. `no_gain`: a one-sided 95 % bound below a margin, if the true
gain is 0. `equivalence`: TOST within ±margin, if the true difference is 0."""

_MOST_SEEDS = 1_000_000


def power_of(test: Test, gap: float, deviation: float, runs: int, alpha: float = 0.05) -> float:
    """Return the probability that the test succeeds.

    Args:
        test: the kind of test.
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
        # success needs a half-width below the margin: larger deviations s count nothing
        return _over_deviations(
            lambda s: 1 - 2 * scipy.special.ndtr(np.minimum(critical * s - shift, 0)),
            freedom,
            (shift / critical) ** 2,
        )
    beyond = _over_deviations(lambda s: scipy.special.ndtr(shift - critical * s), freedom)
    if test == "difference":
        beyond += _over_deviations(lambda s: scipy.special.ndtr(-shift - critical * s), freedom)
    return beyond


def seeds_needed(
    test: Test, gap: float, deviation: float, wanted: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Return the fewest runs of each arm with this power at a level; None beyond a million."""
    if not (gap and deviation > 0):
        return None if deviation > 0 else 2
    enough = 2
    while power_of(test, gap, deviation, enough, alpha) < wanted:
        enough *= 2
        if enough > _MOST_SEEDS:
            return None
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if power_of(test, gap, deviation, middle, alpha) >= wanted:
            enough = middle
        else:
            too_few = middle
    return enough


def detectable_gap(
    test: Test, deviation: float, runs: int, wanted: float = 0.8, alpha: float = 0.05
) -> float:
    """Return the smallest gap (or margin) that this many runs of each arm find with this power."""
    if runs < 2 or not deviation > 0:
        return math.nan

    def shortfall(gap: float) -> float:
        return power_of(test, gap, 1.0, runs, alpha) - wanted

    # 1,000 deviations bracket the root: two runs an arm need about 30 for the hardest test
    return deviation * float(scipy.optimize.brentq(shortfall, 0, 1e3, xtol=1e-9))


def _over_deviations(
    chance: Callable[[Floats], Floats], freedom: int, most: float = math.inf
) -> float:
    """Return the mean of a chance over the estimated deviation s, in units of the true one.

    s² freedom is chi-squared; only s² up to `most` counts. SciPy's noncentral t would do, but is
    NaN for the large shifts that a search for a detectable gap passes through.
    """
    half = freedom / 2
    top = 1.0 if most == math.inf else float(scipy.special.gammainc(half, half * most))
    s, weights = _deviations(half, top)
    return float(0.5 * top * np.sum(weights * chance(s)))


@lru_cache(maxsize=1024)  # searches for a number of runs come back to the same numbers
def _deviations(half: float, top: float) -> tuple[Floats, Floats]:
    """Return nodes of s over the lowest part `top` of its distribution, and their weights."""
    nodes, weights = _quadrature()
    return np.sqrt(scipy.special.gammaincinv(half, 0.5 * top * (nodes + 1)) / half), weights


@cache  # 200 nodes: within 1e-6 of the noncentral t where that is finite
def _quadrature() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(200)
    return nodes, weights
