"""Nearest-rank percentiles far from the median, of many values, without sorting them.

A value's place among all is known from the few values beyond a bound, if the bound leaves enough of
them. A sample gives such a bound; where it does not, all values are looked at. So the result is
exact: it is the value that a sort would find.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE = 4096
"""Values from which a bound is guessed. Four deviations of its rank are left in reserve."""

Values = NDArray[np.floating[Any]]


def nearest_rank(values: Values, share: float) -> Values:
    """Return the nearest-rank percentile of each row of values (A, n), n at least 1.

    It is a value that occurred, where other definitions interpolate in different ways. NaN counts
    as the largest value.

    Args:
        values: floats (A, n).
        share: of a row's values that are not larger, in (0, 1].
    """
    n = values.shape[1]
    rank = max(1, math.ceil(share * n))
    if n <= 2 * SAMPLE:
        return np.asarray(np.partition(values, rank - 1, axis=1)[:, rank - 1])
    return np.array([_of_rank(row, rank) for row in values])


def _of_rank(values: Values, rank: int) -> np.floating[Any]:
    """Return the value that has so many places from the smallest, counted from 1."""
    n = len(values)
    from_top = n - rank + 1
    sample = np.sort(values[_places(n)])
    if rank <= from_top:
        few = values[values <= sample[_reserve(rank / n)]]
        index = rank - 1
        found = len(few) >= rank
    else:
        # Written so that NaN stays.
        few = values[~(values < sample[-1 - _reserve(from_top / n)])]
        index = len(few) - from_top
        found = index >= 0
    if not found:
        few, index = values, rank - 1
    return np.partition(few, index)[index]  # type: ignore[no-any-return]


def _reserve(share: float) -> int:
    """Return the place in the sample of a bound beyond which are more than a share of all."""
    expected = share * SAMPLE
    return min(SAMPLE - 1, math.ceil(expected + 4 * math.sqrt(expected) + 4))


@functools.lru_cache(16)
def _places(n: int) -> NDArray[np.int64]:
    # At random: pixels at even distances lie in a few columns of the images.
    return np.random.default_rng(0).integers(n, size=SAMPLE)
