"""The chance of a whole claim is the share of worlds in which its rule supports it."""

import numpy as np
import pytest
from array_worlds import ArrayEvidence, Law, drawn
from rule_worlds import SCENES, scene

from analysis.paper.chances import WORLDS, chance
from analysis.paper.claims import paper
from analysis.paper.verdicts import judge_claim
from analysis.statistics.power import power_of

DEVIATION = 0.0975
SIMULATED = 4 * np.sqrt(0.25 / WORLDS)
"""Four standard errors of the simulation."""


def judged(claim, means, runs, rng, deviation=DEVIATION):
    laws = {"val_error_percent": {key: Law(mean, deviation) for key, mean in means.items()}}
    return judge_claim(claim, Named(drawn(laws, runs, rng), runs))


class Named(ArrayEvidence):
    """Arms have the names of their activations, as from a store."""

    def _arm(self, name, runs, looks):
        return super()._arm(name.strip("(',)"), runs, looks)


PRINTED = {(name,): error for name, error in paper().table1["lenet5/mnist"].items()}
BEST = scene("relaxed_best_on_lenet5", ("polyneuron_r",), ("apl",), truths={"true": ()}).claim
PAIR = SCENES["relaxed_beats_polyneuron_on_lenet5"].claim


@pytest.mark.parametrize("runs", [5, 20])
def test_of_one_comparison_it_is_that_of_the_test(runs):
    two = {key: PRINTED[key] for key in (("polyneuron",), ("polyneuron_r",))}
    parts = judged(PAIR, two, runs, np.random.default_rng(0)).comparisons
    expected = power_of("difference", 0.09, DEVIATION, runs)
    assert chance(PAIR, parts, DEVIATION).power == pytest.approx(expected, abs=SIMULATED)


def test_of_four_comparisons_it_is_the_share_of_worlds():
    """Of 200 worlds at the paper's own figures, within four standard errors."""
    worlds, runs = 200, 12
    rng = np.random.default_rng(1)
    found = [judged(BEST, PRINTED, runs, rng) for _ in range(worlds)]
    share = np.mean([one.word == "supported" for one in found])
    whole = chance(BEST, found[0].comparisons, DEVIATION)
    assert whole.power == pytest.approx(share, abs=4 * np.sqrt(0.25 / worlds))
    hardest = power_of("difference", 0.09, DEVIATION, runs)
    assert whole.power < hardest + SIMULATED


def test_the_runs_needed_have_the_wanted_chance_and_fewer_have_not():
    parts = judged(BEST, PRINTED, 8, np.random.default_rng(2)).comparisons
    needed = chance(BEST, parts, DEVIATION).runs_needed
    powers = []
    for runs in (needed - 2, needed):
        arms = judged(BEST, PRINTED, runs, np.random.default_rng(2)).comparisons
        powers.append(chance(BEST, arms, DEVIATION).power)
    assert powers[0] < 0.8 <= powers[1]


def test_one_of_several_is_easier_than_all_of_them():
    """Where one arm alone is worse, by twice the margin: three comparisons share the reference."""
    claim = SCENES["lambda_prod_hinders"].claim
    levels = (0.0, 1e-3, 1e-2, 1e-1)
    means = {("polyneuron_r", level): 2.0 for level in levels}
    parts = judged(claim, means, 10, np.random.default_rng(3)).comparisons
    # the gap of a margin beyond the margin, at a third of the level
    expected = power_of("difference", 0.1, DEVIATION, 10, alpha=0.05 / 3)
    assert chance(claim, parts, DEVIATION).power == pytest.approx(expected, abs=0.03)


def test_a_claim_on_shapes_states_no_chance():
    place = SCENES["tails_of_relaxed_bend"]
    worlds = drawn(place.truths["at the margin"].laws, 20, np.random.default_rng(0))
    parts = judge_claim(place.claim, ArrayEvidence(worlds, 20)).comparisons
    assert chance(place.claim, parts, DEVIATION) is None
