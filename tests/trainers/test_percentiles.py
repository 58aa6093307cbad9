"""Percentiles of the nearest rank against numpy's own, which sorts all values."""

import math

import numpy as np
import pytest

from trainers import percentiles
from trainers.percentiles import SAMPLE, nearest_ranks

N = 3 * SAMPLE
SHARES = (0.01, 0.5, 0.99, 1.0)


def values(kind, n=N):
    random = np.random.default_rng(1)
    made = {
        "normal": random.standard_normal(n),
        "heavy tails": random.standard_cauchy(n),
        "mostly zero": random.standard_normal(n) * (random.random(n) < 0.003),
        "rising": np.arange(n),
        "equal": np.ones(n),
        "two": random.random(n) < 0.01,
        "infinite": np.where(random.random(n) < 0.02, math.inf, random.standard_normal(n)),
    }[kind]
    return made.astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "kind", ["normal", "heavy tails", "mostly zero", "rising", "equal", "two", "infinite"]
)
def test_they_are_exact(kind, dtype):
    rows = np.stack([values(kind), -values(kind)]).astype(dtype)
    expected = [np.percentile(rows, 100 * s, axis=1, method="inverted_cdf") for s in SHARES]
    np.testing.assert_array_equal(nearest_ranks(rows, SHARES), expected)
    for share, one in zip(SHARES, expected, strict=True):
        np.testing.assert_array_equal(nearest_ranks(rows, [share]), [one])


@pytest.mark.parametrize("n", [1, 2, 100, 200, 2 * SAMPLE, 2 * SAMPLE + 1])
def test_rows_of_any_length(n):
    row = values("normal", n)[None]
    ranks = [max(1, math.ceil(share * n)) for share in SHARES]
    expected = [[np.sort(row[0])[rank - 1]] for rank in ranks]
    assert nearest_ranks(row, SHARES).tolist() == expected


@pytest.mark.parametrize("n", [100, N])
def test_what_is_no_number_is_the_largest(n):
    row = values("normal", n)
    row[: n // 50] = math.nan
    (low,), (high,) = nearest_ranks(row[None], (0.01, 0.99))
    assert math.isnan(high)
    assert low == np.sort(row)[math.ceil(0.01 * n) - 1]


def test_a_sample_that_misleads_costs_time_and_changes_nothing(monkeypatch):
    rising = values("rising")
    # The sample has the smallest values alone, or the largest.
    for first in (0, N - SAMPLE):
        places = first + np.arange(SAMPLE)
        monkeypatch.setattr(percentiles, "_places", lambda n, places=places: places)
        expected = [np.percentile(rising, 100 * s, method="inverted_cdf") for s in SHARES]
        assert nearest_ranks(rising[None], SHARES).flatten().tolist() == expected
