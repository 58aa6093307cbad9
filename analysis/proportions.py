"""How often runs fail."""

from __future__ import annotations

import math

import scipy

from analysis.intervals import Alternative, Interval


def failure_rate(failed: int, runs: int, confidence: float = 0.95) -> Interval:
    """Return failed / runs with Clopper and Pearson's exact interval: 0 of 5 allows 52 %."""
    if runs == 0:
        return Interval(math.nan, math.nan, math.nan)
    interval = scipy.stats.binomtest(failed, runs).proportion_ci(confidence, "exact")
    return Interval(failed / runs, float(interval.low), float(interval.high))


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
