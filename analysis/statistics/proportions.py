"""Rates of diverged runs: intervals, differences and their exact test."""

from __future__ import annotations

import math
from functools import cache

import scipy

from analysis.statistics.intervals import UNKNOWN, Alternative, Interval


def failure_rate(failed: int, runs: int, confidence: float = 0.95) -> Interval:
    """Return failed / runs with its exact interval (Clopper, Pearson 1934): 0 of 5 allows 52 %."""
    if runs == 0:
        return UNKNOWN
    tail, inverse = (1 - confidence) / 2, scipy.special.betaincinv
    low = float(inverse(failed, runs - failed + 1, tail)) if failed else 0.0
    high = float(inverse(failed + 1, runs - failed, 1 - tail)) if failed < runs else 1.0
    return Interval(failed / runs, low, high)


def rate_difference(
    failed: tuple[int, int], runs: tuple[int, int], confidence: float = 0.95
) -> Interval:
    """Return the first failure rate less the second, with its interval (Agresti, Caffo 2000).

    The interval adds a failure and a success to each side, and covers 94 to 98 % at 30 runs a
    side. The exact intervals of both rates put together would cover 99 %.
    """
    if min(runs) == 0:
        return UNKNOWN
    added = [((f + 1) / (n + 2), n + 2) for f, n in zip(failed, runs, strict=True)]
    centre = added[0][0] - added[1][0]
    error = math.sqrt(sum(rate * (1 - rate) / n for rate, n in added))
    half = float(scipy.special.ndtri((1 + confidence) / 2)) * error
    estimate = failed[0] / runs[0] - failed[1] / runs[1]
    return Interval(estimate, max(-1.0, centre - half), min(1.0, centre + half))


@cache  # 0.1 s and more each, and several rules ask for the same counts
def boschloo(
    failed: tuple[int, int], runs: tuple[int, int], alternative: Alternative = "two-sided"
) -> float:
    """Return the p value of two equal failure rates by the exact test of Boschloo (1970).

    Five runs against five need four more failures for p < 0.05.

    Args:
        failed: diverged runs of each side.
        runs: all runs of each side.
        alternative: `greater`: the first rate is greater.
    """
    if min(runs) == 0:
        return math.nan
    table = [[failed[0], failed[1]], [runs[0] - failed[0], runs[1] - failed[1]]]
    return float(scipy.stats.boschloo_exact(table, alternative=alternative).pvalue)
