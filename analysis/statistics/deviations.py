"""Are runs of one configuration more scattered than those of another?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy

from analysis.statistics.intervals import Interval, Sample, contrast

POOLING_LEVEL, PLAINLY_APART = 0.20, 0.01


def cell_intervals(samples: Sequence[Sample], confidence: float = 0.95) -> list[Interval]:
    """Return each sample's mean with a t interval from the deviation that the cells share.

    Only cells that are plainly apart keep their own: these stand side by side in a map, where
    chance differences of few runs would read as differences of cells.
    """
    shared = share_deviation(samples, PLAINLY_APART)
    return [
        contrast(samples, list(weights), shared).interval(confidence)
        for weights in np.eye(len(samples))
    ]


def brown_forsythe(samples: Sequence[Sample]) -> float:
    """Return the p value of equal deviations (Levene's test on medians).

    With five runs a sample it finds a threefold deviation in 8 % of cases: a large p says little.
    """
    return float(scipy.stats.levene(*samples, center="median").pvalue)


def deviation_ratio(first: Sample, second: Sequence[Sample], confidence: float = 0.95) -> Interval:
    """Return sd(first) over the pooled sd of `second`, with its F interval.

    It assumes normal errors, on which a ratio of deviations depends far more than a mean does.
    """
    own = float(np.var(first, ddof=1)) if len(first) > 1 else math.nan
    freedom = sum(len(sample) - 1 for sample in second)
    pooled = sum(float(np.var(sample)) * len(sample) for sample in second)
    if not (own >= 0 and freedom > 0 and pooled > 0):
        return Interval(math.nan, math.nan, math.nan)
    ratio = own * freedom / pooled
    tail = (1 - confidence) / 2
    f = scipy.stats.f(len(first) - 1, freedom)
    low, high = ratio / f.ppf(1 - tail), ratio / f.ppf(tail)
    return Interval(math.sqrt(ratio), math.sqrt(low), math.sqrt(high))


def variance_rank_p(sample: Sample, references: Sequence[Sample]) -> float:
    """Return the p value of `sample` being no more scattered than the reference cells.

    The rank of its variance among theirs: exact for any distribution that all have in common up
    to its mean, and at least 1 / (references + 1). Cells must have equally many runs.
    """
    own = np.var(sample, ddof=1)
    as_scattered = sum(np.var(reference, ddof=1) >= own for reference in references)
    return float(1 + as_scattered) / (len(references) + 1)


def share_deviation(samples: Sequence[Sample], level: float | None = None) -> list[bool]:
    """Return for each cell whether its deviation may be pooled with the others'.

    A cell whose Brown-Forsythe test against all others together stays below `level` keeps its
    own. Cells of fewer than three runs cannot be told apart. None: 20 %, and of two cells 5 %,
    since there Student's test and Welch's hardly differ.

    The level is that high since the test hardly sees what does harm: among five cells of five
    runs, one of them twice as scattered, intervals of 95 % cover 88 % where all are pooled, 89 % at
    a level of 5 % with Holm's correction, and 92 % at this one; of equal cells 94 %.
    """
    if level is None:
        level = POOLING_LEVEL if len(samples) > 2 else 0.05
    centred = [np.asarray(x, dtype=float) - np.median(x) if len(x) else x for x in samples]
    shared = []
    for index, cell in enumerate(centred):
        others = [x for i, x in enumerate(centred) if i != index and len(x) > 2]
        enough = len(cell) > 2 and others and (np.ptp(cell) or np.ptp(np.concatenate(others)))
        shared.append(not enough or not _apart(cell, np.concatenate(others)) < level)
    return shared


def _apart(cell: Sample, others: Sample) -> float:
    """Return Brown and Forsythe's p value of two samples: SciPy's takes ten times as long."""
    distances = [np.abs(np.asarray(x) - np.median(x)) for x in (cell, others)]
    together = np.concatenate(distances)
    between = sum(len(x) * (x.mean() - together.mean()) ** 2 for x in distances)
    within = sum(float(np.sum((x - x.mean()) ** 2)) for x in distances)
    freedom = len(together) - 2
    return float(scipy.special.fdtrc(1, freedom, between * freedom / within)) if within else 0.0
