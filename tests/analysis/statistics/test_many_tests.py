"""The p value of a verdict at its look, and the verdicts that stand among many."""

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.looks import look_levels
from analysis.statistics.many_tests import LEAST, smallest_level, surviving


@pytest.mark.parametrize("level", [0.001, 0.02, 0.049])
@pytest.mark.parametrize("fractions", [(1.0,), (0.5, 1.0), (0.25, 0.5, 0.75)])
def test_a_verdict_at_the_boundary_has_the_level_as_its_p_value(fractions, level):
    at_boundary = look_levels(fractions, level)[-1]
    found = smallest_level(lambda one: look_levels(fractions, one)[-1] >= at_boundary, 0.05)
    # 0.01 is the bisection's own width in the logarithm
    assert level <= found * 1.000001 <= level * 1.011


def test_a_decision_at_every_level_has_the_least_p_value():
    assert smallest_level(lambda level: True, 0.05) == LEAST


def test_survivors_are_those_of_scipy():
    rng = np.random.default_rng(5)
    for scale in (1.0, 0.2, 0.02):
        p = rng.random(25) ** 2 * scale
        adjusted = stats.false_discovery_control(p)
        assert surviving(list(p)) == list(adjusted <= 0.05)
    assert surviving([]) == []
    assert surviving([0.9]) == [False]
