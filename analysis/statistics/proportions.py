"""How often runs fail."""

from __future__ import annotations

import math
from functools import cache

import scipy

from analysis.statistics.intervals import Alternative, Interval


def failure_rate(failed: int, runs: int, confidence: float = 0.95) -> Interval:
    """Return failed / runs with Clopper and Pearson's exact interval: 0 of 5 allows 52 %."""
    if runs == 0:
        return Interval(math.nan, math.nan, math.nan)
    interval = scipy.stats.binomtest(failed, runs).proportion_ci(confidence, "exact")
    return Interval(failed / runs, float(interval.low), float(interval.high))


def rate_difference(
    failed: tuple[int, int], runs: tuple[int, int], confidence: float = 0.95
) -> Interval:
    """Return the first failure rate less the second, with Agresti and Caffo's interval.

    Exact intervals of both rates put together would cover 99 %; this one, a failure and a success
    added to each side, covers 94 to 98 % at 30 runs a side.
    """
    if min(runs) == 0:
        return Interval(math.nan, math.nan, math.nan)
    added = [((f + 1) / (n + 2), n + 2) for f, n in zip(failed, runs, strict=True)]
    centre = added[0][0] - added[1][0]
    error = math.sqrt(sum(rate * (1 - rate) / n for rate, n in added))
    half = float(scipy.special.ndtri((1 + confidence) / 2)) * error
    estimate = failed[0] / runs[0] - failed[1] / runs[1]
    return Interval(estimate, max(-1.0, centre - half), min(1.0, centre + half))


@cache
def boschloo(
    failed: tuple[int, int], runs: tuple[int, int], alternative: Alternative = "two-sided"
) -> float:
    """Return the p value of two equal failure rates, Boschloo's exact test.

    `greater`: the first rate is greater. Five runs against five need four more failures for
    p < 0.05.
    """
    if min(runs) == 0:
        return math.nan
    table = [[failed[0], failed[1]], [runs[0] - failed[0], runs[1] - failed[1]]]
    return float(scipy.stats.boschloo_exact(table, alternative=alternative).pvalue)
