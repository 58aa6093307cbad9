import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.intervals import (
    contrast,
    difference,
    holm,
    mean_interval,
    pooled_deviation,
    pooled_intervals,
    probability_smaller,
)

errors = st.lists(st.floats(0, 100, width=32), min_size=2, max_size=9)
properties = settings(deadline=None, derandomize=True, max_examples=60)


def samples(*sizes: int, seed: int = 0, deviations=None) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    deviations = deviations or [0.2] * len(sizes)
    return [
        rng.normal(2 + i, sd, n) for i, (n, sd) in enumerate(zip(sizes, deviations, strict=True))
    ]


def test_a_mean_has_students_interval():
    (sample,) = samples(5)
    low, high = stats.t.interval(0.95, 4, np.mean(sample), stats.sem(sample))
    ours = mean_interval(sample)
    np.testing.assert_allclose([ours.low, ours.high], [low, high])


def test_an_interval_worked_by_hand():
    """1, 2, 3: mean 2, deviation 1, t(2) = 4.302653; 2 ± 4.302653 / sqrt(3)."""
    ours = mean_interval([1.0, 2.0, 3.0])
    np.testing.assert_allclose([ours.low, ours.high], [-0.484138, 4.484138], atol=1e-6)


@pytest.mark.parametrize("sample", [[], [3.0], [1.66] * 5, [0.1 + 0.2, 0.3, 0.3]], ids=str)
def test_without_variance_there_is_no_interval(sample):
    ours = mean_interval(sample)
    assert math.isnan(ours.low)
    assert math.isnan(ours.high)


@pytest.mark.parametrize("pooled", [True, False], ids=["pooled", "welch"])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_a_difference_is_scipys_t_test(pooled, alternative):
    first, second = samples(5, 8, deviations=[0.2, 0.9])
    theirs = stats.ttest_ind(first, second, equal_var=pooled, alternative=alternative)
    ours = difference(first, second, pooled)
    np.testing.assert_allclose(ours.p_value(0, alternative), theirs.pvalue)
    np.testing.assert_allclose(ours.freedom, theirs.df)
    if alternative == "two-sided":
        interval = theirs.confidence_interval(0.95)
        ci = ours.interval()
        np.testing.assert_allclose([ci.low, ci.high], [interval.low, interval.high])
    else:
        bound = theirs.confidence_interval(0.95)
        side, theirs_bound = (
            ("low", bound.low) if alternative == "greater" else ("high", bound.high)
        )
        np.testing.assert_allclose(ours.bound(side), theirs_bound)


def test_cells_of_weight_zero_lend_their_deviation():
    first, second, third = samples(5, 5, 5)
    ours = contrast([first, second, third], [1, -1, 0])
    assert ours.freedom == 12
    deviation, _ = pooled_deviation([first, second, third])
    np.testing.assert_allclose(ours.standard_error, deviation * math.sqrt(2 / 5))


def test_a_factorial_contrast_is_that_of_a_linear_model():
    """Even against odd k in each of two blocks: ordinary least squares on the cells' indicators."""
    cells = samples(4, 5, 6, 5, 3, 5)
    weights = np.array([-0.25, 0.5, -0.25] * 2)
    y = np.concatenate(cells)
    design = np.repeat(np.eye(6), [len(x) for x in cells], axis=0)
    beta, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    sigma2 = residual[0] / (len(y) - 6)
    se = math.sqrt(sigma2 * weights @ np.linalg.inv(design.T @ design) @ weights)
    ours = contrast(cells, list(weights))
    np.testing.assert_allclose([ours.estimate, ours.standard_error], [weights @ beta, se])
    np.testing.assert_allclose(ours.freedom, len(y) - 6)


def test_a_cell_apart_keeps_its_own_deviation():
    quiet, loud, other = samples(6, 6, 6, deviations=[0.1, 3, 0.1])
    ours = contrast([quiet, loud, other], [1, -1, 0], [True, False, True])
    shared, _ = pooled_deviation([quiet, other])
    parts = np.array([shared**2 / 6, np.var(loud, ddof=1) / 6])
    np.testing.assert_allclose(ours.standard_error, math.sqrt(parts.sum()))
    np.testing.assert_allclose(ours.freedom, parts.sum() ** 2 / (parts**2 / [10, 5]).sum())


def test_equivalence_is_tost_of_statsmodels():
    weightstats = pytest.importorskip(
        "statsmodels.stats.weightstats", reason="statsmodels is a cross-check only"
    )
    first, second = samples(7, 5)
    for pooled in (True, False):
        theirs = weightstats.ttost_ind(
            first, second, -1.4, 1.4, usevar="pooled" if pooled else "unequal"
        )[0]
        ours = difference(first, second, pooled).equivalence_p(1.4)
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)


@properties
@given(errors, errors, st.floats(0.01, 50))
def test_equivalence_holds_exactly_where_the_90_percent_interval_is_inside(a, b, margin):
    found = difference(a, b)
    if found.standard_error == 0:
        return
    interval = found.interval(0.90)
    inside = -margin < interval.low and interval.high < margin
    p = found.equivalence_p(margin)
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == inside


@properties
@given(errors, errors)
def test_swapping_the_arms_mirrors_the_difference(a, b):
    ours, mirrored = difference(a, b), difference(b, a)
    np.testing.assert_allclose(ours.estimate, -mirrored.estimate, atol=1e-12)
    np.testing.assert_allclose(ours.p_value(0, "greater"), mirrored.p_value(0, "less"), atol=1e-12)


@pytest.mark.parametrize("other", [[2.0] * 5, [3.0] * 5], ids=["same", "apart"])
def test_equal_values_decide_nothing(other):
    found = difference([2.0] * 5, other)
    assert found.estimate == 2.0 - other[0]
    assert math.isnan(found.p_value())
    assert math.isnan(found.bound("high"))


def test_a_difference_below_the_values_rounding_is_none():
    """0.1 + 0.2 is not 0.3: sums in another order differ so."""
    assert difference([0.1 + 0.2, 1.0], [0.3, 1.0]).estimate == 0
    assert difference([1.0 + 1e-6, 2.0], [1.0, 2.0]).estimate == pytest.approx(5e-7)


def test_holm_is_statsmodels_and_leaves_the_untested_out():
    p = [0.01, 0.04, 0.03, math.nan, 0.005]
    ours = holm(p)
    np.testing.assert_allclose([ours[i] for i in (4, 0, 2, 1)], [0.02, 0.03, 0.06, 0.06])
    assert math.isnan(ours[3])
    multitest = pytest.importorskip(
        "statsmodels.stats.multitest", reason="statsmodels is a cross-check only"
    )
    tested = [0.2, 0.01, 0.6, 0.01, 0.04]
    np.testing.assert_allclose(holm(tested), multitest.multipletests(tested, method="holm")[1])


def test_pooled_intervals_share_one_half_width_a_size():
    cells = samples(5, 5, 2)
    intervals = pooled_intervals(cells)
    halves = [i.high - i.estimate for i in intervals]
    np.testing.assert_allclose(halves[0], halves[1])
    np.testing.assert_allclose(halves[2] / halves[0], math.sqrt(5 / 2))


def test_probability_of_improvement_counts_ties_half_and_failures_as_worst():
    assert probability_smaller([1, 2], [2, 3]) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert probability_smaller([1, math.inf], [2]) == 0.5
    assert probability_smaller([math.inf], [math.inf]) == 0.5
    u = stats.mannwhitneyu([5, 1, 4], [3, 6], alternative="two-sided").statistic
    assert probability_smaller([3, 6], [5, 1, 4]) == pytest.approx(u / 6)
    assert math.isnan(probability_smaller([], [1]))
