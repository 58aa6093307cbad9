"""However often one looks, a claim is decided wrongly no more often than its level."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from synthetic_store import START, SyntheticSweep, configuration
from worlds import MemoryResults

from analysis.paper.claims import paper
from analysis.paper.evidence import Evidence
from analysis.paper.instalments import instalments, plan_of
from analysis.paper.rules.comparison import level_of
from analysis.paper.verdicts import judge_claim
from analysis.printed import percent
from analysis.statistics.intervals import contrast
from analysis.statistics.power import detectable_gap
from analysis.store.blocks import Block, blocks_json

BETTER = next(one for one in paper().claims if one.id == "relaxed_beats_polyneuron_on_lenet5")
ARMS = ("polyneuron", "polyneuron_r")


def instalment(number: int, seeds: int, gains: tuple[float, float], rng) -> SyntheticSweep:
    """A later sweep of new seeds; `gains` are subtracted from 2 % of each arm."""
    sweep = SyntheticSweep(f"look{number}", seeds=seeds)
    for activation, gain in zip(ARMS, gains, strict=True):
        config = configuration(activation=activation)
        for seed in range(seeds):
            error = 2 - gain + rng.normal(0, 0.1)
            sweep.add_run(config, seeds * number + seed, np.full(30, error), history=False)
    return sweep


def judged(claim, sweeps):
    return judge_claim(claim, Evidence(MemoryResults(sweeps)))


def test_five_looks_at_nothing_decide_wrongly_as_rarely_as_one():
    """At 5 % a look, 14 % of such worlds are decided wrongly."""
    claim = dataclasses.replace(BETTER, max_seeds=25)
    worlds, wrong = 150, 0
    for world in range(worlds):
        rng = np.random.default_rng(world)
        sweeps = [instalment(number, 5, (0.0, 0.0), rng) for number in range(5)]
        wrong += judged(claim, sweeps).word in ("supported", "contradicted")
    assert wrong / worlds <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / worlds)


def test_a_verdict_is_that_of_the_look_that_gave_it():
    rng = np.random.default_rng(0)
    clear = instalment(0, 5, (0.0, 1.0), rng)
    contrary = instalment(1, 5, (1.5, 0.0), rng)
    assert judged(BETTER, [clear]).word == "supported"
    verdict = judged(BETTER, [clear, contrary])
    assert verdict.word == "supported"
    assert verdict.reason.endswith("Decided at look 1 of 2; later runs change no verdict.")
    assert verdict.deciding.runs == (5, 5)


def test_an_early_look_is_judged_strictly_and_the_last_one_nearly_at_the_level():
    """Of five of ten seeds, and of all ten."""
    levels = []
    for count in (1, 2):
        sweeps = [instalment(n, 5, (0.0, 0.0), np.random.default_rng(n)) for n in range(count)]
        levels.append(judged(BETTER, sweeps).comparisons[0].level)
    assert levels == pytest.approx([0.00305, 0.0490], abs=1e-4)


def test_beyond_the_planned_seeds_nothing_more_is_decided():
    rng = np.random.default_rng(1)
    hazy = [instalment(number, 5, (0.0, 0.0), rng) for number in range(2)]
    assert judged(BETTER, hazy).word == "not decided"
    clear = instalment(2, 5, (0.0, 3.0), rng)
    verdict = judged(BETTER, [*hazy, clear])
    assert verdict.word == "not decided"
    assert verdict.deciding.level == 0
    assert "judged at 0 %, the level of this look" in verdict.reason


def sweeps_of(name: str, seeds: list[int]) -> dict:
    return {
        "sweep": name,
        "created_at": START,
        "spec_json": f'{{"seeds": {seeds}}}',
        "blocks_json": None,
    }


@pytest.mark.parametrize(
    ("details", "numbers"),
    [
        ([], [0, 0, 0, 0, 0, 0]),
        (["from 2 to 4 seeds a trial", "from 4 to 6 seeds a trial"], [0, 0, 1, 1, 2, 2]),
        (["4 seeds a trial", "6 seeds a trial"], [0, 0, 1, 1, 2, 2]),
        ([None], [0, 0, 0, 0, 0, 0]),
    ],
)
def test_each_extension_is_an_instalment(details, numbers):
    seeds = [7, 3, 0, 1, 2, 4]
    sweeps = pd.DataFrame([sweeps_of("b", seeds), sweeps_of("c", [9])])
    events = pd.DataFrame(
        [{"sweep": "b", "kind": "extend", "detail": text} for text in details],
        columns=["sweep", "kind", "detail"],
    )
    runs = pd.DataFrame({"sweep": ["b"] * 6, "trial": 0, "config_id": "x", "seed": seeds})
    plan = plan_of(sweeps, events, runs)
    assert [plan.look("b", "x", seed) for seed in seeds] == numbers
    assert plan.look("c", "x", 9) == numbers[-1] + 1


def test_a_run_that_two_sweeps_have_came_with_the_first():
    first = instalment(0, 5, (0.0, 0.0), np.random.default_rng(0))
    second = SyntheticSweep("look1", seeds=10)
    for activation in ARMS:
        config = configuration(activation=activation)
        for seed in range(10):
            second.add_run(config, seed, np.full(30, 2.0), history=False)
    evidence = Evidence(MemoryResults([first, second]))
    assert evidence.looks_of(BETTER) == [0, 1]
    arms = evidence.arms(BETTER, "lenet5/mnist", ["activation"])
    assert {arm.looks for arm in arms.values()} == {((0, 5), (1, 10))}
    assert level_of(list(arms.values())) == pytest.approx(0.049, abs=1e-3)


@pytest.fixture(scope="module")
def settled() -> Evidence:
    """Five seeds an arm; then two more for both arms of one claim, then for one of them again."""
    sweep = instalment(0, 5, (0.0, 0.0), np.random.default_rng(0))
    trials = {row["activation"]: row["trial"] for row in sweep.rows["runs"]}
    own, rival = ARMS
    for activation, seeds in ((own, (5, 6, 7, 8)), (rival, (5, 6))):
        config = configuration(activation=activation)
        for seed in seeds:
            sweep.add_run(config, seed, np.full(30, 2.0), history=False)
    blocks = [
        Block((BETTER.id,), {trials[own]: (5, 6), trials[rival]: (5, 6)}),
        Block(("another",), {trials[own]: (5, 6, 7, 8)}),
    ]
    sweep.rows["sweeps"][0]["blocks_json"] = blocks_json(blocks)
    return Evidence(MemoryResults([sweep]))


def test_a_claim_counts_the_seeds_of_its_own_blocks_alone(settled):
    meant = settled.meant_for(BETTER)
    arms = meant.arms(BETTER, "lenet5/mnist", ["activation"])
    assert [arm.looks for arm in arms.values()] == [((0, 5), (1, 7))] * 2
    assert not any(arm.lacking for arm in arms.values())
    assert meant.looks_of(BETTER) == [0, 1]
    assert [
        arm.runs for arm in meant.until(0).arms(BETTER, "lenet5/mnist", ["activation"]).values()
    ] == [5, 5]
    assert meant.ledger(BETTER).planned == 14
    other = dataclasses.replace(BETTER, id="another")
    counted = settled.meant_for(other).arms(other, "lenet5/mnist", ["activation"])
    assert sorted(arm.runs for arm in counted.values()) == [5, 9]


def test_a_seed_of_a_block_that_is_not_in_the_store_lacks(settled):
    rows = settled.results._rows
    fewer = MemoryResults([])
    fewer._rows = {**rows, "runs": [row for row in rows["runs"] if row["seed"] != 6]}
    arms = Evidence(fewer).meant_for(BETTER).arms(BETTER, "lenet5/mnist", ["activation"])
    assert {arm.lacking for arm in arms.values()} == {"6 of 7 runs are in the store"}


def test_instalments_count_runs():
    assert instalments(np.array([3, 0, 3, 0, 0])) == ((0, 3), (3, 5))


@pytest.mark.parametrize("gain", [0.1, 0.4])
def test_the_interval_beside_a_verdict_is_the_repeated_one_of_its_look(gain):
    """It excludes the threshold where the claim is decided, and nowhere else."""
    sweeps = [instalment(n, 5, (0.0, gain), np.random.default_rng(n)) for n in range(2)]
    (early,) = judged(BETTER, sweeps[:1]).comparisons
    (late,) = judged(BETTER, sweeps).comparisons
    for one in (early, late):
        assert one.confidence == pytest.approx(1 - one.level)
        assert (one.interval.low > 0) == one.supports
        alone = detectable_gap("difference", one.deviation, min(one.runs))
        assert one.detectable > alone  # at 5 %, as if nobody had looked before
    samples = [arm.sample for arm in (*early.reference, *early.candidate)]
    once = contrast(samples, [1, -1]).interval()
    # t quantiles with 8 degrees of freedom: 4.17 at a level of 0.00305, and 2.31 at 0.05
    ratio = (early.interval.high - early.interval.low) / (once.high - once.low)
    assert ratio == pytest.approx(4.17 / 2.31, rel=0.01)
    assert "(99.69 % interval" in judged(BETTER, sweeps[:1]).reason


def test_a_confidence_is_written_with_the_digits_that_tell_it_from_certainty():
    assert [percent(1 - level) for level in (0.05, 0.049, 0.00305, 1e-5)] == [
        *("95 %", "95.1 %", "99.69 %", "99.999 %")
    ]
