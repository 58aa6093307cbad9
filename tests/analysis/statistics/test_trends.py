import itertools
import math

import numpy as np
import pytest

from analysis.statistics.trends import jonckheere


def exact_p(samples) -> float:
    """Return the share of all regroupings whose statistic is as great: the definition."""
    values = np.concatenate(samples)
    sizes = [len(x) for x in samples]

    def statistic(groups):
        return sum(
            (a < b) + 0.5 * (a == b)
            for i, low in enumerate(groups)
            for high in groups[i + 1 :]
            for a in low
            for b in high
        )

    observed = statistic(samples)
    counts = [
        statistic(np.split(np.array(order), np.cumsum(sizes)[:-1])) >= observed
        for order in itertools.permutations(values)
    ]
    return float(np.mean(counts))


def test_the_approximation_is_near_the_exact_permutations():
    samples = [np.array([1.0, 2.0, 2.5]), np.array([2.2, 3.0]), np.array([2.8, 3.5, 4.0])]
    assert jonckheere(samples) == pytest.approx(exact_p(samples), abs=0.01)


def test_it_is_statsmodels_test_with_and_without_ties():
    nonparametric = pytest.importorskip(
        "statsmodels.stats.nonparametric", reason="statsmodels is a cross-check only"
    )
    rng = np.random.default_rng(0)
    for digits in (8, 0):
        samples = [np.round(rng.normal(i * 0.5, 1, 6), digits) for i in range(4)]
        theirs = nonparametric.jonckheere_terpstra(samples, alternative="larger")
        assert jonckheere(samples, "greater") == pytest.approx(theirs.pvalue, rel=1e-6)


def test_directions_mirror_each_other():
    rng = np.random.default_rng(1)
    samples = [rng.normal(i, 1, 5) for i in range(3)]
    assert jonckheere(samples, "greater") == pytest.approx(jonckheere(samples[::-1], "less"))
    assert jonckheere(samples) < 0.05 < jonckheere(samples, "less")


def test_no_order_to_see_is_no_trend():
    assert jonckheere([[1.0, 1.0], [1.0, 1.0]]) == 1.0
    assert math.isnan(jonckheere([[1.0, 2.0]]))
