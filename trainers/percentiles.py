"""Nearest-rank percentiles far from the median, of many values, without sorting them.

A value's place among all is known from the few values beyond a bound, if the bound leaves enough of
them. A sample gives such a bound; where it does not, all values are looked at. So the result is
exact: it is the value that a sort would find.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.outliers import Values, beyond

SAMPLE = 4096
"""Values from which a bound is guessed. Four deviations of its rank are left in reserve."""


def nearest_ranks(values: Values, shares: Sequence[float]) -> Values:
    """Return the nearest-rank percentiles (len(shares), A) of the rows of values (A, n), n >= 1.

    They are values that occurred, where other definitions interpolate in different ways. NaN counts
    as the largest value.

    Args:
        values: floats (A, n).
        shares: each of a row's values that are not larger, in (0, 1].
    """
    n = values.shape[1]
    ranks = [max(1, math.ceil(share * n)) for share in shares]
    if n <= 2 * SAMPLE:
        places = [rank - 1 for rank in ranks]
        return np.partition(values, sorted(set(places)), axis=1)[:, places].T
    return np.array([_of_ranks(row, ranks) for row in values]).T


def _of_ranks(values: Values, ranks: Sequence[int]) -> list[np.floating[Any]]:
    """Return the values that have these places from the smallest, counted from 1."""
    n = len(values)
    sample = np.sort(values[_places(n)])
    lower = {rank for rank in ranks if 2 * rank <= n + 1}
    bounds = [sample[_reserve(rank / n)] for rank in lower]
    low = max(bounds, default=-math.inf)
    bounds = [sample[-1 - _reserve((n - rank + 1) / n)] for rank in {*ranks} - lower]
    high = min(bounds, default=math.inf)
    below, above = beyond(values, float(low), float(high))
    return [
        _placed(below, rank - 1, values, rank)
        if rank in lower
        else _placed(above, rank - 1 - (n - len(above)), values, rank)
        for rank in ranks
    ]


def _placed(few: Values, index: int, values: Values, rank: int) -> np.floating[Any]:
    """Return the few values' number `index`; of all values the rank's where it is not there."""
    if not 0 <= index < len(few):
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
