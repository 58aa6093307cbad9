import math
import re

import numpy as np
import pandas as pd
import pytest
from planted_errors import FIVE, timed_in_one_process_each
from synthetic_store import SyntheticSweep, configuration, write_part
from worlds import PLANTS, STARTS, MemoryResults, plant

import analysis
from analysis.paper.claims import paper
from analysis.paper.evidence import Evidence
from analysis.paper.rules import RULES
from analysis.paper.verdicts import judge_claim
from analysis.printed import ACTIVATIONS

CLAIMS = {claim.id: claim for claim in paper().claims}


def word(sweeps, claim):
    return judge_claim(CLAIMS[claim], Evidence(MemoryResults(sweeps))).word


@pytest.mark.parametrize("plan", PLANTS)
def test_a_clear_world_is_judged_as_it_was_planted(plan):
    claim = plan.split("/")[0]
    assert word(plant(plan, "true", np.random.default_rng(1)), claim) == "supported"
    if not plan.endswith("/divergence") or plan.startswith(
        "no_penalty"
    ):  # its false world has no effect either way
        assert word(plant(plan, "false", np.random.default_rng(1)), claim) == "contradicted"


@pytest.mark.parametrize("plan", PLANTS)
def test_a_world_without_power_is_not_decided(plan):
    """Three worlds a claim: each may go wrong in one of twenty, two of three must not."""
    claim = plan.split("/")[0]
    words = [
        word(plant(plan, "undecidable", np.random.default_rng(seed)), claim) for seed in (5, 6, 7)
    ]
    assert words.count("not decided") >= 2


@pytest.mark.parametrize("plan", PLANTS)
def test_on_the_border_a_false_claim_is_not_supported(plan):
    """Six worlds a claim: three wrong ones of six have a probability of 0.2 %."""
    claim = plan.split("/")[0]
    words = [word(plant(plan, "border", np.random.default_rng(seed)), claim) for seed in range(6)]
    assert words.count("supported") < 3


def test_every_claim_is_planted_or_says_why_it_cannot_be_tested():
    planted = {plan.split("/")[0] for plan in PLANTS}
    for claim in paper().claims:
        assert claim.id in planted or (claim.rule == "untested" and claim.why), claim.id
        assert claim.rule == "untested" or claim.rule in RULES


def test_quotations_are_of_different_claims_and_ids_are_unique():
    ids = [claim.id for claim in paper().claims]
    assert len(ids) == len(set(ids)) >= 22
    assert all(len(claim.quote) > 20 and claim.estimand for claim in paper().claims)


COUNTED = {plan for plan in PLANTS if plan.startswith((*STARTS, "tails_of_polyneuron"))}
"""Claims on counts and on what is exact by construction: these need no variance."""


def table1_sweeps(**kind) -> list[SyntheticSweep]:
    """PolyNeuron-R is clearly best on LeNet-5; one run of ReLU diverged."""
    sweep = SyntheticSweep("table1_lenet5", **kind)
    rng = np.random.default_rng(0)
    for activation in FIVE:
        for seed in range(5):
            end = 1.5 + 0.5 * (activation != "polyneuron_r") + rng.normal(0, 0.05)
            failed = activation == "relu" and seed == 4
            sweep.add_run(
                configuration(activation=activation),
                seed,
                np.array([90.0]) if failed else np.linspace(9, end, 30),
                status="diverged" if failed else "completed",
            )
    return [sweep]


BEST = "relaxed_best_on_lenet5"


def test_only_confirmatory_sweeps_without_early_stopping_decide():
    assert word(table1_sweeps(), BEST) == "supported"
    assert word(table1_sweeps(purpose="exploratory"), BEST) == "not tested"
    assert word(table1_sweeps(early_stopping="asha"), BEST) == "not tested"


def test_shuffling_splitting_and_repeating_parts_change_no_verdict(tmp_path):
    table1_sweeps()[0].write(tmp_path / "whole")
    table1_sweeps()[0].write(tmp_path / "split", parts=6, shuffle_seed=3)
    rows = table1_sweeps()[0].rows["runs"]
    write_part(tmp_path / "split", "table1_lenet5", "runs", rows[:7], number=99)
    whole = analysis.verdicts(analysis.load(tmp_path / "whole"))
    split = analysis.verdicts(analysis.load(tmp_path / "split"))
    pd.testing.assert_frame_equal(whole, split)


def test_a_pruned_run_changes_no_verdict():
    sweeps = table1_sweeps()
    config = configuration(activation="polyneuron_r")
    sweeps[0].add_run(config, 99, np.array([50.0]), status="pruned")
    before = judge_claim(CLAIMS[BEST], Evidence(MemoryResults(table1_sweeps())))
    after = judge_claim(CLAIMS[BEST], Evidence(MemoryResults(sweeps)))
    assert (after.word, after.deciding.interval) == (before.word, before.deciding.interval)
    assert sum(one.censored for one in after.comparisons) > 0, "but it is counted"


def test_dropping_a_failed_run_is_noticed():
    sweeps = table1_sweeps()
    sweeps[0].rows["runs"] = [r for r in sweeps[0].rows["runs"] if r["status"] != "diverged"]
    verdict = judge_claim(CLAIMS[BEST], Evidence(MemoryResults(sweeps)))
    assert verdict.word == "not tested"
    assert "4 of 5 runs are in the store" in verdict.reason


def test_a_sweep_that_still_runs_decides_nothing_yet():
    sweeps = table1_sweeps()
    sweeps[0].rows["runs"][0] |= {"status": "running"}
    verdict = judge_claim(CLAIMS[BEST], Evidence(MemoryResults(sweeps)))
    assert verdict.word == "not tested"
    assert "1 of 5 runs are not finished" in verdict.reason


def test_the_winner_must_not_diverge_more_often():
    """Its finished runs are better, but two of its five never finished."""
    sweeps = table1_sweeps()
    for row in sweeps[0].rows["runs"]:
        if row["activation"] == "polyneuron_r" and row["seed"] < 2:
            row |= {"status": "diverged"}
    assert word(sweeps, BEST) == "not decided"


def test_runs_in_another_setting_do_not_speak():
    sweep = SyntheticSweep("short", seeds=5)
    for activation in FIVE:
        for seed in range(5):
            config = configuration(activation=activation, epochs=2)
            sweep.add_run(config, seed, np.array([9.0, 1 + (activation != "polyneuron_r")]))
    assert word([sweep], BEST) == "not tested"


def test_times_on_two_devices_do_not_compare():
    sweeps = plant("relaxed_computes_less", "true", np.random.default_rng(0))
    for row in sweeps[0].rows["runs"][:2]:
        row["device"] = "another GPU"
    verdict = judge_claim(CLAIMS["relaxed_computes_less"], Evidence(MemoryResults(sweeps)))
    assert verdict.word == "not tested"
    assert "more than one device" in verdict.reason


def timed_world():
    (sweep,) = plant("relaxed_computes_less", "true", np.random.default_rng(0))
    sweep.add_trials(["s"])
    return sweep


def test_times_on_two_hosts_do_not_compare():
    sweep = timed_world()
    for row in sweep.rows["trials"][:2]:
        row["hostname"] = "worker-2"
    verdict = judge_claim(CLAIMS["relaxed_computes_less"], Evidence(MemoryResults([sweep])))
    assert verdict.word == "not tested"
    assert "more than one device (cpu of worker-1, cpu of worker-2)" in verdict.reason


@pytest.mark.parametrize("load", [0.0, 0.09, 0.11, 2.0])
def test_a_verdict_on_time_says_beside_what_load_it_was_measured(load):
    sweep = timed_world()
    for row in sweep.rows["trials"][:3]:
        row["other_load"] = load
    verdict = judge_claim(CLAIMS["relaxed_computes_less"], Evidence(MemoryResults([sweep])))
    assert verdict.word == "supported"
    marked = "3 trials timed while other processes used over 10% of a core"
    assert [one.note == marked for one in verdict.comparisons] == [load > 0.1]
    assert (marked in verdict.reason) == (load > 0.1)


def test_a_run_that_diverged_has_no_time_and_is_no_repetition():
    """An arm of which one repetition is left was compared with fifteen others."""
    sweep = timed_world()
    lost = [row for row in sweep.rows["runs"] if row["activation"] == "polyneuron"][1:]
    for row in lost:
        row.update(status="diverged", epoch_seconds=None, last_val_error_percent=None)
    verdict = judge_claim(CLAIMS["relaxed_computes_less"], Evidence(MemoryResults([sweep])))
    assert verdict.word == "not decided"
    assert (
        f"timed in 1 trial, of one process each; the other {len(lost)} diverged" in verdict.reason
    )


def test_only_timing_sweeps_speak_on_time_and_they_on_nothing_else():
    """Seeds of a confirmatory sweep share a process, and a timed run was not planned for errors."""
    timed = timed_world()
    fixed = SyntheticSweep("table1_lenet5", seeds=20)
    for activation, error in (("polyneuron", 5.0), ("polyneuron_r", 4.0)):
        for seed in range(20):
            noise = 0.01 * np.sin(seed)
            curve = np.full(30, error + noise)
            seconds = 2.0 * (1 + 0.01 * noise) if activation == "polyneuron" else 9.0 + noise
            fixed.add_run(configuration(activation=activation), seed, curve, epoch_seconds=seconds)
    both = MemoryResults([timed, fixed])
    alone = MemoryResults([fixed])
    claim = CLAIMS["relaxed_computes_less"]
    assert judge_claim(claim, Evidence(alone)).word == "not tested"
    assert judge_claim(claim, Evidence(both)).word == "supported"  # in spite of `fixed`
    for name in ("printed_error_polyneuron_on_lenet5", "relaxed_best_on_lenet5"):
        told = [judge_claim(CLAIMS[name], Evidence(one)) for one in (both, alone)]
        assert told[0].reason == told[1].reason
        assert told[0].run_ids == told[1].run_ids
    assert judge_claim(CLAIMS["relaxed_beats_polyneuron_on_lenet5"], Evidence(both)).run_ids


def test_the_first_epoch_is_no_part_of_a_time():
    """Planted runs take three times as long in it as in the others."""
    sweep = timed_world()
    verdict = judge_claim(CLAIMS["relaxed_computes_less"], Evidence(MemoryResults([sweep])))
    seconds = {row["run_id"]: row["epoch_seconds"] for row in sweep.rows["runs"]}
    (one,) = verdict.comparisons
    for arm in (*one.candidate, *one.reference):
        expected = sorted(math.log(seconds[run]) for run in arm.run_ids)
        assert sorted(arm.sample) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shared", [0.0, 0.02, 0.05, 0.1])
def test_runs_of_one_process_decide_nothing_about_time(shared):
    """Twenty worlds: what slows a process slows all its runs, however many there are."""
    for seed in range(20):
        sweeps = timed_in_one_process_each(shared, np.random.default_rng(seed))
        verdict = judge_claim(CLAIMS["relaxed_computes_less"], Evidence(MemoryResults(sweeps)))
        assert verdict.word == "not tested"
        assert "timed in 1 trial, of one process each, and it takes 5" in verdict.reason


def test_the_table_says_what_it_hangs_on():
    frame = analysis.verdicts(MemoryResults(table1_sweeps())).set_index("claim")
    assert set(frame["verdict"]) <= {"supported", "contradicted", "not decided", "not tested"}
    best = frame.loc[BEST]
    assert best["n"] == 5
    assert 0 < best["low"] < best["estimate"] < best["high"]
    assert best["detectable"] > 0
    assert 0 < best["p"] <= 0.05
    assert best["stands"]
    assert len(best["runs_sha256"]) == 64
    assert (frame["claims_sha256"] == paper().sha256).all()
    other = frame.loc["swish_best_on_resnet20"]
    assert other["verdict"] == "not tested"
    assert other["reason"] == "Needs table1_resnet20."
    assert math.isnan(other["estimate"])


def test_an_undecided_verdict_says_what_is_ruled_out_and_what_it_would_take():
    sweeps = plant("relaxed_beats_polyneuron_on_lenet5", "undecidable", np.random.default_rng(5))
    verdict = judge_claim(
        CLAIMS["relaxed_beats_polyneuron_on_lenet5"], Evidence(MemoryResults(sweeps))
    )
    assert verdict.word == "not decided"
    assert "points are ruled out; the direction is not known" in verdict.reason
    assert re.search(
        r"A true gap of 0\.0\d points .* with about [\d,]+ runs a cell", verdict.reason
    )


def test_an_empty_store_tests_nothing():
    frame = analysis.verdicts(MemoryResults([SyntheticSweep("young")]))
    assert (frame["verdict"] == "not tested").all()


def test_table_1_on_another_benchmark_leaves_an_ablation_its_verdict():
    """ResNet-20 at s = k = 3 alone varies nothing, so that it asks for no further runs."""
    rng = np.random.default_rng(1)
    sweeps = plant("no_gain_above_k3", "true", rng)
    assert word(sweeps, "no_gain_above_k3") == "supported"
    table = SyntheticSweep("table1_resnet20", "resnet20/cifar10")
    for seed in range(5):
        config = configuration("resnet20/cifar10", "polyneuron")
        table.add_run(config, seed, np.array([9.0] * 500), history=False)
    assert (
        word(
            [*plant("no_gain_above_k3", "true", np.random.default_rng(1)), table],
            ("no_gain_above_k3"),
        )
        == "supported"
    )


def test_longer_runs_are_not_counted_among_the_starts():
    sweeps = plant("relu_like_start_is_stable_polyneuron", "true", np.random.default_rng(0))
    for seed in range(5):
        options = {"s": 3, "k": 3, "init": "relu_like"}
        config = configuration(activation="polyneuron", options=options)
        sweeps[0].add_run(config, 100 + seed, np.array([90.0]), status="diverged")
    claim = "relu_like_start_is_stable_polyneuron"
    verdict = judge_claim(CLAIMS[claim], Evidence(MemoryResults(sweeps)))
    assert verdict.word == "supported"
    assert verdict.comparisons[0].runs[1] == 30


def fail_all(sweeps, activation) -> None:
    for row in sweeps[0].rows["runs"]:
        if row["activation"] == activation:
            row |= {"status": "diverged"}


@pytest.mark.parametrize("activation", ["polyneuron_r", "apl"], ids=["winner", "rival"])
def test_an_activation_that_never_ends_a_run_decides_nothing(activation):
    sweeps = table1_sweeps()
    fail_all(sweeps, activation)
    verdict = judge_claim(CLAIMS[BEST], Evidence(MemoryResults(sweeps)))
    assert verdict.word == "not decided"
    said = f"all 5 runs of {ACTIVATIONS[activation]} diverged"
    assert f"Could not be trained in this reading: {said}" in verdict.reason


ON_ERROR = [
    *("improved_or_comparable_polyneuron_on_lenet5", "relaxed_beats_polyneuron_on_lenet5"),
    *("printed_error_relu_on_lenet5", "no_gain_above_k3"),
    *("three_points_of_order_three", "lambda_prod_no_benefit", "lambda_prod_hinders"),
    *("sensitive_to_high_rates_apl_on_lenet5", "error_rises_faster_with_rate_apl"),
    "lower_rate_helps",
    *("relaxed_computes_less", "more_points_are_slower"),
]


@pytest.mark.parametrize("claim", ON_ERROR)
@pytest.mark.parametrize("kind", ["true", "false"])
def test_runs_that_all_diverge_decide_no_claim_on_errors_or_times(claim, kind):
    sweeps = plant(claim, kind, np.random.default_rng(1))
    for row in (row for sweep in sweeps for row in sweep.rows["runs"]):
        row |= {"status": "diverged"}
    for sweep in sweeps:  # the rate before a drop is known of a run that diverged after it
        sweep.rows["epochs"].clear()
    assert word(sweeps, claim) == "not decided"


@pytest.mark.parametrize("claim", [p for p in PLANTS if "/" not in p and p not in COUNTED])
def test_equal_values_decide_nothing(claim):
    """Every cell as planted, but each run has its cell's first value."""
    sweeps = plant(claim, "true", np.random.default_rng(1))
    for sweep in sweeps:
        level(sweep)
    verdict = judge_claim(CLAIMS[claim], Evidence(MemoryResults(sweeps)))
    assert verdict.word == "not decided", verdict.reason
    assert all(math.isnan(one.interval.low) for one in verdict.comparisons)


def level(sweep: SyntheticSweep) -> None:
    """Give all runs of a configuration, and their epochs and snapshots, the first one's values."""
    first, of = {}, {}
    for row in sweep.rows["runs"]:
        chosen = first.setdefault(row["config_id"], row)
        of[row["run_id"]] = chosen["run_id"]
        keep = {name: row[name] for name in ("run_id", "seed", "trial")}
        row |= chosen | keep
    for table in ("epochs", "snapshots", "functions"):
        rows: dict[str, list] = {}
        for row in sweep.rows[table]:
            rows.setdefault(row["run_id"], []).append(row)
        sweep.rows[table] = [
            row | {"run_id": run} for run, source in of.items() for row in rows.get(source, [])
        ]


def test_diverged_runs_are_told_beside_the_mean():
    verdict = judge_claim(CLAIMS[BEST], Evidence(MemoryResults(table1_sweeps())))
    relu = next(one for one in verdict.comparisons if one.name.endswith("ReLU"))
    assert relu.diverged == (0, 1)
    sweeps = plant("relaxed_beats_polyneuron_on_lenet5", "undecidable", np.random.default_rng(5))
    sweeps[0].rows["runs"][0] |= {"status": "diverged"}
    verdict = judge_claim(
        CLAIMS["relaxed_beats_polyneuron_on_lenet5"], Evidence(MemoryResults(sweeps))
    )
    both = [one for one in verdict.comparisons if any(one.diverged)]
    assert both
