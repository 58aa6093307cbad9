"""The p value of a verdict at its look, and the verdicts that stand among many."""

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.looks import look_levels
from analysis.statistics.many_tests import overall_level, surviving


@pytest.mark.parametrize("level", [0.001, 0.02, 0.05])
@pytest.mark.parametrize("fractions", [(1.0,), (0.5, 1.0), (0.25, 0.5, 0.75)])
def test_a_verdict_at_the_boundary_has_the_level_as_its_p_value(fractions, level):
    at_boundary = look_levels(fractions, level)[-1]
    # 1e-4 is the bisection's own width in the logarithm
    assert overall_level(fractions, at_boundary) == pytest.approx(level, rel=3e-4)


def test_a_single_look_changes_no_p_value():
    assert overall_level((1.0,), 0.013) == pytest.approx(0.013, rel=3e-4)
    assert overall_level((1.0,), 1.0) == 1.0


def test_survivors_are_those_of_scipy():
    rng = np.random.default_rng(5)
    for scale in (1.0, 0.2, 0.02):
        p = rng.random(25) ** 2 * scale
        adjusted = stats.false_discovery_control(p)
        assert surviving(list(p)) == list(adjusted <= 0.05)
    assert surviving([]) == []
    assert surviving([0.9]) == [False]
