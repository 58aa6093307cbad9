"""Percentiles of the nearest rank against numpy's own, which sorts all values."""

import math

import numpy as np
import pytest

from trainers import percentiles
from trainers.percentiles import SAMPLE, nearest_rank

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


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(
    "kind", ["normal", "heavy tails", "mostly zero", "rising", "equal", "two", "infinite"]
)
def test_they_are_exact(kind, share):
    rows = np.stack([values(kind), -values(kind)])
    expected = np.percentile(rows, 100 * share, axis=1, method="inverted_cdf")
    np.testing.assert_array_equal(nearest_rank(rows, share), expected)


@pytest.mark.parametrize("n", [1, 2, 100, 200, 2 * SAMPLE, 2 * SAMPLE + 1])
def test_rows_of_any_length(n):
    row = values("normal", n)[None]
    for share in SHARES:
        rank = max(1, math.ceil(share * n))
        assert nearest_rank(row, share).tolist() == [np.sort(row[0])[rank - 1]]


@pytest.mark.parametrize("n", [100, N])
def test_what_is_no_number_is_the_largest(n):
    row = values("normal", n)
    row[: n // 50] = math.nan
    assert np.isnan(nearest_rank(row[None], 0.99)).all()
    assert nearest_rank(row[None], 0.01)[0] == np.sort(row)[math.ceil(0.01 * n) - 1]


def test_a_sample_that_misleads_costs_time_and_changes_nothing(monkeypatch):
    rising = values("rising")
    # The sample has the smallest values alone, or the largest.
    for first in (0, N - SAMPLE):
        places = first + np.arange(SAMPLE)
        monkeypatch.setattr(percentiles, "_places", lambda n, places=places: places)
        for share in SHARES:
            expected = np.percentile(rising, 100 * share, method="inverted_cdf")
            assert nearest_rank(rising[None], share).tolist() == [expected]
