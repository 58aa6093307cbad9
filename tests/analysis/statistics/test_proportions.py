import math

import numpy as np
import pytest

from analysis.statistics.proportions import boschloo, failure_rate, rate_difference


def test_no_failure_in_five_still_allows_half():
    rate = failure_rate(0, 5)
    assert rate.low == 0
    np.testing.assert_allclose(rate.high, 1 - 0.025 ** (1 / 5))  # (1 - p)^5 = 2.5 %: 0.522


def test_twenty_nine_clean_runs_exclude_ten_percent_on_one_side():
    one_sided_95 = failure_rate(0, 29, confidence=0.90).high
    assert one_sided_95 < 0.10
    assert failure_rate(0, 28, confidence=0.90).high > 0.10


def test_five_against_five_needs_four_failures():
    assert boschloo((4, 0), (5, 5)) < 0.05
    assert boschloo((3, 0), (5, 5)) > 0.05
    assert boschloo((4, 0), (5, 5), "greater") < boschloo((4, 0), (5, 5))
    assert boschloo((0, 4), (5, 5), "greater") > 0.9


def test_the_direction_is_that_of_the_first_rate():
    assert boschloo((8, 1), (10, 10), "greater") < 0.01
    assert boschloo((1, 8), (10, 10), "less") < 0.01


def test_no_runs_have_no_rate():
    assert math.isnan(failure_rate(0, 0).high)
    assert math.isnan(boschloo((0, 0), (0, 5)))


def test_the_interval_is_that_of_statsmodels():
    proportion = pytest.importorskip(
        "statsmodels.stats.proportion", reason="statsmodels is a cross-check only"
    )
    ours = failure_rate(3, 20)
    np.testing.assert_allclose(
        [ours.low, ours.high], proportion.proportion_confint(3, 20, method="beta")
    )


def test_a_difference_of_rates_is_agresti_and_caffos():
    proportion = pytest.importorskip(
        "statsmodels.stats.proportion", reason="statsmodels is a cross-check only"
    )
    for failed, runs in (((18, 3), (30, 30)), ((4, 2), (9, 20))):
        theirs = proportion.confint_proportions_2indep(
            failed[0], runs[0], failed[1], runs[1], method="agresti-caffo", compare="diff"
        )
        ours = rate_difference(failed, runs)
        np.testing.assert_allclose([ours.low, ours.high], theirs)
        np.testing.assert_allclose(ours.estimate, failed[0] / runs[0] - failed[1] / runs[1])
    assert math.isnan(rate_difference((0, 0), (0, 5)).low)
