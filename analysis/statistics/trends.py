"""A test for values that rise from one ordered level to the next."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy

from analysis.statistics.intervals import Alternative, Floats, Sample


def jonckheere(samples: Sequence[Sample], alternative: Alternative = "greater") -> float:
    """Return the p value of no trend over ordered samples (Terpstra 1952, Jonckheere 1954).

    A normal approximation with the variance for ties of Hollander, Wolfe and Chicken,
    Nonparametric Statistical Methods (2014), eq. 6.19.

    Args:
        samples: the values of each level, in the levels' order.
        alternative: `greater`: values rise from the first sample to the last.
    """
    groups = [np.asarray(sample, dtype=float) for sample in samples if len(sample)]
    if len(groups) < 2:
        return math.nan
    statistic = sum(
        float(np.sum(low[:, None] < high) + 0.5 * np.sum(low[:, None] == high))
        for i, low in enumerate(groups)
        for high in groups[i + 1 :]
    )
    mean, variance = _null_moments(groups)
    if variance == 0:
        return 1.0
    z = (statistic - mean) / math.sqrt(variance)
    if alternative == "two-sided":
        return 2 * float(scipy.special.ndtr(-abs(z)))
    return float(scipy.special.ndtr(-z if alternative == "greater" else z))


def _null_moments(groups: Sequence[Floats]) -> tuple[float, float]:
    """Return the statistic's mean and variance if there is no trend."""
    n = np.array([len(group) for group in groups], dtype=float)
    ties = np.unique(np.concatenate(groups), return_counts=True)[1].astype(float)
    total = float(n.sum())
    mean = (total**2 - np.sum(n**2)) / 4
    variance = (_cubic(total) - _cubic(n) - _cubic(ties)) / 72
    if total > 2:
        variance += _triples(n) * _triples(ties) / (36 * _triples(total))
    variance += _pairs(n) * _pairs(ties) / (8 * _pairs(total))
    return float(mean), float(variance)


def _cubic(n: Floats | float) -> float:
    return float(np.sum(n * (n - 1) * (2 * n + 5)))


def _triples(n: Floats | float) -> float:
    return float(np.sum(n * (n - 1) * (n - 2)))


def _pairs(n: Floats | float) -> float:
    return float(np.sum(n * (n - 1)))
