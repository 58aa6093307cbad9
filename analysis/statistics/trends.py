"""Does a value rise from one ordered level to the next?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy

from analysis.statistics.intervals import Alternative, Sample


def jonckheere(samples: Sequence[Sample], alternative: Alternative = "greater") -> float:
    """Return the p value of no trend over ordered samples, Jonckheere and Terpstra's test.

    `greater`: values rise from the first sample to the last. Normal approximation with the
    variance for ties (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 6.19).
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


def _null_moments(groups: Sequence[np.ndarray]) -> tuple[float, float]:
    n = np.array([len(group) for group in groups], dtype=float)
    ties = np.unique(np.concatenate(groups), return_counts=True)[1].astype(float)
    total = n.sum()
    mean = (total**2 - np.sum(n**2)) / 4
    variance = (_cubic(total) - _cubic(n).sum() - _cubic(ties).sum()) / 72
    if total > 2:
        variance += _triples(n).sum() * _triples(ties).sum() / (36 * _triples(total))
    variance += _pairs(n).sum() * _pairs(ties).sum() / (8 * _pairs(total))
    return float(mean), float(variance)


def _cubic(n: np.ndarray | float) -> np.ndarray:
    return np.asarray(n * (n - 1) * (2 * n + 5))


def _triples(n: np.ndarray | float) -> np.ndarray:
    return np.asarray(n * (n - 1) * (n - 2))


def _pairs(n: np.ndarray | float) -> np.ndarray:
    return np.asarray(n * (n - 1))
