"""All looks together decide wrongly no more often than the level, whatever their times."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.looks import information, look_levels, spent


def test_five_equal_looks_have_the_published_bounds():
    """Of the spending function of O'Brien and Fleming's kind at a two-sided 5 %.

    Lan and DeMets' programme gives 4.877, 3.357, 2.680, 2.290 and 2.031 (Reboussin et al. 2000).
    """
    levels = look_levels((0.2, 0.4, 0.6, 0.8, 1.0))
    bounds = stats.norm.isf(np.array(levels) / 2)
    np.testing.assert_allclose(bounds, [4.877, 3.357, 2.680, 2.290, 2.031], atol=1.5e-3)


def test_a_single_look_at_all_has_the_whole_level():
    assert look_levels((1.0,)) == pytest.approx((0.05,), abs=1e-12)
    assert look_levels((1.7,), 0.01) == pytest.approx((0.01,), abs=1e-12)


def test_nothing_is_left_beyond_the_largest_planned_information():
    first, second, third = look_levels((1.0, 1.0, 2.0))
    assert (first, second, third) == (pytest.approx(0.05), 0.0, 0.0)


def test_information_never_falls():
    with pytest.raises(ValueError, match="never falls"):
        look_levels((0.5, 0.4))


FRACTIONS = st.lists(st.floats(0.02, 1.3), min_size=1, max_size=8).map(sorted).map(tuple)


@given(FRACTIONS)
@settings(deadline=None)
def test_the_looks_up_to_any_spend_what_the_function_says(fractions):
    """By simulation of the sums themselves: no integral is used here."""
    levels = np.array(look_levels(fractions))
    times = np.minimum(fractions, 1.0)
    steps = np.diff(times, prepend=0.0)
    rng = np.random.default_rng(len(fractions))
    worlds = 20_000
    sums = np.cumsum(rng.normal(size=(worlds, len(times))) * np.sqrt(steps), axis=1)
    p = 2 * stats.norm.sf(np.abs(sums) / np.sqrt(times))
    share = (p < levels).any(axis=1).mean()
    expected = spent(times[-1], 0.05)
    # Five standard errors: of hundreds of examples none may fail by chance.
    assert abs(share - expected) < 5 * np.sqrt(0.05 * 0.95 / worlds)


def test_information_is_harmonic():
    assert information([10, 10]) == pytest.approx(5)
    assert information([20]) == pytest.approx(20)
    assert information([5, 20]) == pytest.approx(4)
    assert information([0, 20]) == 0.0
