import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.intervals import difference
from analysis.statistics.power import detectable_gap, power_of, seeds_needed


@pytest.mark.parametrize("runs", [3, 5, 20])
@pytest.mark.parametrize("gap", [0.0, 0.5, 1.5])
def test_power_is_that_of_the_noncentral_t(runs, gap):
    freedom, shift = 2 * runs - 2, gap / math.sqrt(2 / runs)
    two_sided = stats.t.ppf(0.975, freedom)
    expected = stats.nct.sf(two_sided, freedom, shift) + stats.nct.cdf(-two_sided, freedom, shift)
    # quadrature over the deviation: 1e-6 is far below what a number of seeds can show
    assert power_of("difference", gap, 1, runs) == pytest.approx(expected, abs=1e-6)
    one_sided = stats.nct.sf(stats.t.ppf(0.95, freedom), freedom, shift)
    assert power_of("no_gain", gap, 1, runs) == pytest.approx(one_sided, abs=1e-6)


def test_the_power_of_equivalence_is_that_of_simulated_campaigns():
    """5,000 worlds: three standard errors are 0.021."""
    rng = np.random.default_rng(0)
    arms = rng.normal(0, 1, (5000, 2, 8))
    passed = np.mean([difference(a, b).equivalence_p(1.5) < 0.05 for a, b in arms])
    assert power_of("equivalence", 1.5, 1, 8) == pytest.approx(passed, abs=0.021)


@pytest.mark.parametrize(("runs", "gap"), [(5, 2.02), (10, 1.32), (20, 0.91)])
def test_what_few_seeds_can_see(runs, gap):
    """Textbook figures for 80 % power, two-sided, the deviation estimated from both arms."""
    assert detectable_gap("difference", 1, runs) == pytest.approx(gap, abs=0.01)


@pytest.mark.parametrize("test", ["difference", "no_gain", "equivalence"])
def test_the_seeds_needed_are_the_fewest_that_suffice(test):
    needed = seeds_needed(test, 0.3, 0.25)
    assert power_of(test, 0.3, 0.25, needed) >= 0.8 > power_of(test, 0.3, 0.25, needed - 1)
    assert detectable_gap(test, 0.25, needed) <= 0.3 < detectable_gap(test, 0.25, needed - 1)


def test_the_papers_smallest_gap_needs_hundreds_of_seeds():
    """0.04 points on CIFAR-10 with the deviation that its test set alone suggests."""
    assert 400 < seeds_needed("difference", 0.04, 0.21) < 450
    assert power_of("difference", 0.04, 0.21, 5) < 0.07


def test_no_gap_is_never_found_and_one_run_finds_nothing():
    assert seeds_needed("difference", 0.0, 0.2) is None
    assert seeds_needed("difference", 1e-5, 1.0) is None
    assert power_of("difference", 3.0, 0.1, 1) == 0.0
    assert math.isnan(detectable_gap("difference", 0.2, 1))


def test_power_and_seeds_are_those_of_statsmodels():
    statsmodels_power = pytest.importorskip(
        "statsmodels.stats.power", reason="statsmodels is a cross-check only"
    ).TTestIndPower()
    theirs = statsmodels_power.power(effect_size=0.9, nobs1=12, alpha=0.05)
    assert power_of("difference", 0.9, 1, 12) == pytest.approx(theirs, abs=1e-6)
    runs = statsmodels_power.solve_power(effect_size=0.3, power=0.8, alpha=0.05)
    assert seeds_needed("difference", 0.3, 1.0) == math.ceil(runs)
