"""Comparing how far runs scatter: which cells may share a deviation, and which scatter more."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy

from analysis.statistics.intervals import (
    UNKNOWN,
    Interval,
    Sample,
    contrast,
    difference,
    equal_values,
)

POOLING_LEVEL, PLAINLY_APART = 0.20, 0.01


def cell_intervals(samples: Sequence[Sample], confidence: float = 0.95) -> list[Interval]:
    """Return each cell's mean with a t interval from the deviation that the cells share.

    Only cells that are plainly apart keep their own deviation: cells stand side by side in a map,
    where chance differences between the deviations of few runs would read as effects.
    """
    shared = share_deviation(samples, PLAINLY_APART)
    return [
        contrast(samples, list(weights), shared).interval(confidence)
        for weights in np.eye(len(samples))
    ]


def scatter_p(sample: Sample, references: Sequence[Sample], ratio: float = 1.0) -> float:
    """Return the p value of `sample` scattering no more than `ratio` times as much as references.

    One side of Brown and Forsythe's (1974) test: Student's t on the distances from each cell's
    median, those of `sample` over the ratio. It needs no normal errors: with Student's t of three
    degrees of freedom at the ratio, 20 runs against 6 cells of 10, it is below 2.5 % in 4 % of
    worlds, and F in 12 %. A large p says little. The p of the other side is 1 less this one.
    """
    own = np.abs(np.asarray(sample) - _median(sample)) / ratio
    others = np.concatenate([np.abs(np.asarray(x) - _median(x)) for x in references])
    return difference(own, others).p_value(0.0, "greater")


def deviation_ratio(first: Sample, second: Sequence[Sample], confidence: float = 0.95) -> Interval:
    """Return sd(first) over the pooled sd of `second`, with its interval from F (Snedecor 1934).

    The interval assumes normal errors, on which a ratio of deviations depends far more than a
    mean does. Equal values have no deviation, and no ratio.
    """
    if equal_values(first) or all(map(equal_values, second)):
        return UNKNOWN
    own = float(np.var(first, ddof=1))
    freedom = sum(len(sample) - 1 for sample in second)
    pooled = sum(float(np.var(sample)) * len(sample) for sample in second)
    ratio = own * freedom / pooled
    tail = (1 - confidence) / 2
    upper, lower = scipy.special.fdtri(len(first) - 1, freedom, [1 - tail, tail])
    low, high = ratio / upper, ratio / lower
    return Interval(math.sqrt(ratio), math.sqrt(low), math.sqrt(high))


def variance_rank_p(sample: Sample, references: Sequence[Sample]) -> float:
    """Return the p value of `sample` being no more scattered than the reference cells.

    A permutation test on the rank of its variance among theirs: exact if all cells have one
    distribution up to their means and equally many runs, and at least 1 / (references + 1).
    """
    own = np.var(sample, ddof=1)
    as_scattered = sum(np.var(reference, ddof=1) >= own for reference in references)
    return float(1 + as_scattered) / (len(references) + 1)


def share_deviation(samples: Sequence[Sample], level: float | None = None) -> list[bool]:
    """Return for each cell True if its deviation may be pooled with the others'.

    A cell keeps its own deviation if its Brown-Forsythe test against all other cells together is
    below the level. Cells of fewer than three runs cannot be told apart, and are pooled; a cell
    of three equal values or more is apart, and has no deviation at all.

    Args:
        samples: the values of each cell.
        level: of the test. None: 20 %, and of two cells 5 %, since Student's test and Welch's
            hardly differ there.
    """
    # 20 % since the test hardly sees what does harm. Among five cells of five runs, one of them
    # twice as scattered, intervals of 95 % cover 88 % if all are pooled, 89 % at a level of 5 %
    # with Holm's correction and 92 % at this one; of five equal cells 94 %.
    if level is None:
        level = POOLING_LEVEL if len(samples) > 2 else 0.05
    centred = [np.asarray(x, dtype=float) - _median(x) if len(x) else x for x in samples]
    shared = []
    for index, cell in enumerate(centred):
        others = [x for i, x in enumerate(centred) if i != index and len(x) > 2]
        if len(cell) < 3 or not others:
            shared.append(True)
        elif equal_values(samples[index]):
            shared.append(False)
        else:
            shared.append(not _apart(cell, np.concatenate(others)) < level)
    return shared


def _median(sample: Sample) -> float:
    """Return the median; NumPy's takes ten times as long for a few values."""
    ordered = np.sort(sample)
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _apart(cell: Sample, others: Sample) -> float:
    """Return Brown and Forsythe's p of two samples; SciPy's takes ten times as long."""
    distances = [np.abs(np.asarray(x) - _median(x)) for x in (cell, others)]
    together = np.concatenate(distances)
    between = sum(len(x) * (x.mean() - together.mean()) ** 2 for x in distances)
    within = sum(float(np.sum((x - x.mean()) ** 2)) for x in distances)
    freedom = len(together) - 2
    return float(scipy.special.fdtrc(1, freedom, between * freedom / within)) if within else 0.0
