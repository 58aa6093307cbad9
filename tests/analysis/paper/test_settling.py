"""Which claims get more seeds, which seeds, and what that is expected to take."""

import dataclasses

import numpy as np
import pytest
from synthetic_store import SyntheticSweep, configuration
from worlds import MemoryResults

from analysis.paper.claims import paper
from analysis.paper.evidence import Evidence
from analysis.paper.settling import _simulated, standing
from analysis.statistics.looks import look_levels

BETTER = next(one for one in paper().claims if one.id == "relaxed_beats_polyneuron_on_lenet5")


def evidence_of(gain: float, seeds: int = 5) -> Evidence:
    """Errors of both arms, spread evenly over 0.2 points, `gain` apart."""
    sweep = SyntheticSweep("first", seeds=seeds)
    for activation, less in (("polyneuron", 0.0), ("polyneuron_r", gain), ("relu", 0.0)):
        config = configuration(activation=activation)
        for seed, error in enumerate(np.linspace(2, 2.2, seeds)):
            sweep.add_run(config, seed, np.full(30, error - less), history=False)
    return Evidence(MemoryResults([sweep]))


def test_a_decided_claim_gets_no_more_seeds():
    found = standing(BETTER, evidence_of(1.0))
    assert found.reason == "supported: it is decided"


def test_an_open_claim_gets_seeds_that_none_of_its_cells_counts_and_others_get_none():
    evidence = evidence_of(0.08)
    found = standing(BETTER, evidence)
    assert (found.word, found.reason, found.room) == ("not decided", "", 5)
    assert found.next_seeds == (5, 6)
    names = evidence.runs.set_index("config_id")["activation"].astype(str)
    assert sorted({names[one].iloc[0] for one in found.config_ids}) == [
        "polyneuron",
        "polyneuron_r",
    ]
    assert 0.05 < found.chance < 1
    assert 0 < found.expected_seeds <= 5


def test_a_block_stops_at_the_most_seeds():
    assert standing(BETTER, evidence_of(0.08), max_seeds=6).next_seeds == (5,)
    full = standing(BETTER, evidence_of(0.08), max_seeds=5)
    assert full.reason == "not decided with 5 seeds, and --max-seeds allows 5"
    more = standing(BETTER, evidence_of(0.08), max_seeds=50)
    assert more.room == 5  # the claim's own number holds the level
    own = dataclasses.replace(BETTER, max_seeds=5)
    assert "its max_seeds in claims.toml allows 5" in standing(own, evidence_of(0.08)).reason


def test_without_any_gap_a_claim_is_hardly_ever_decided_at_its_last_seed():
    assert standing(BETTER, evidence_of(0.0, seeds=9)).reason.startswith("a chance of ")


@pytest.mark.parametrize("drift", [0.5, 2.0])
def test_the_chance_at_a_single_look_is_that_of_the_normal_distribution(drift):
    """One look left, at all of the information: the sum is normal about what was seen so far."""
    from scipy import stats

    z, now = drift * np.sqrt(0.9), 0.9
    chance, seeds = _simulated(z, (0.9,), 18, 20, 20)
    bound = stats.norm.isf(look_levels((0.9, 1.0))[1])
    mean, sd = drift * now + drift * (1 - now), np.sqrt(1 - now)
    exact = stats.norm.sf((bound - mean) / sd) + stats.norm.cdf((-bound - mean) / sd)
    assert chance == pytest.approx(exact, abs=0.04)  # 2,000 paths: four standard errors
    assert seeds == 2
