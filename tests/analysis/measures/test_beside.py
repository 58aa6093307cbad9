"""Two sweeps side by side: Welch's interval in each trial that both have."""

import numpy as np
import pytest
from scipy import stats
from synthetic_store import SyntheticSweep, configuration

import analysis


@pytest.fixture
def results(tmp_path):
    """Two sweeps that differ in the rate drops; k = 3 is in both, k = 2 and 4 in one each."""
    rng = np.random.default_rng(0)
    for name, levels, shift, drop in (("one", (2, 3), 0.0, []), ("two", (3, 4), 0.5, [0.5])):
        sweep = SyntheticSweep(name)
        for k in levels:
            config = configuration(activation="polyneuron", options={"k": k}, drop_at=drop)
            for seed in range(5):
                end = 2 + shift + rng.normal(0, 0.1 + shift)
                sweep.add_run(config, seed, np.linspace(9, end, 30))
        sweep.add_trials(["k"])
        sweep.write(tmp_path)
    return analysis.load(tmp_path)


def final(results, sweep, k):
    runs = results.runs
    own = runs[(runs["sweep"] == sweep) & (runs["k"] == k)]
    return own["last_val_error_percent"].to_numpy()


def test_a_trial_of_both_has_welchs_interval(results):
    found = analysis.beside(results, "one", "two")
    (row,) = found.to_dict("records")
    one, two = final(results, "one", 3), final(results, "two", 3)
    theirs = stats.ttest_ind(two, one, equal_var=False).confidence_interval()
    np.testing.assert_allclose(
        [row["mean_first"], row["mean_second"], row["low"], row["high"]],
        [one.mean(), two.mean(), *theirs],
    )
    assert (row["n_first"], row["n_second"], row["n_shared"]) == (5, 5, 0)


def test_runs_that_both_have_are_no_evidence_of_a_difference(results):
    """A sweep beside itself: five runs are five, however often they are looked at."""
    for row in analysis.beside(results, "one", "one").to_dict("records"):
        assert (row["difference"], row["n_shared"]) == (0.0, 5)
        assert np.isnan(row["low"])
