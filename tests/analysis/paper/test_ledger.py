"""Runs without a value are counted beside a verdict, and may leave it open."""

import json

import numpy as np
import pytest
from planted_errors import FIVE
from synthetic_store import SyntheticSweep, configuration
from worlds import MemoryResults, plant

import analysis
from analysis.measures.values import independent, values
from analysis.paper.claims import paper
from analysis.paper.evidence import Evidence
from analysis.paper.verdicts import judge_claim

CLAIMS = {claim.id: claim for claim in paper().claims}
BEST = "relaxed_best_on_lenet5"


def best_by(gap: float, seeds: int = 20, name: str = "one", **kind) -> SyntheticSweep:
    """PolyNeuron-R is best by a gap, at a deviation of 0.1."""
    sweep = SyntheticSweep(name, seeds=seeds, **kind)
    rng = np.random.default_rng(0)
    for activation in FIVE:
        for seed in range(seeds):
            end = 1.5 + gap * (activation != "polyneuron_r") + rng.normal(0, 0.1)
            config = configuration(activation=activation)
            sweep.add_run(config, seed, np.array([end]), history=False)
    return sweep


def lose(sweep: SyntheticSweep, runs: int, activation: str = "polyneuron_r", **columns) -> None:
    for row in sweep.rows["runs"]:
        if row["activation"] == activation and row["seed"] < runs:
            row |= columns


def judged(*sweeps, claim=BEST):
    return judge_claim(CLAIMS[claim], Evidence(MemoryResults(sweeps)))


@pytest.mark.parametrize(
    "columns", [{"status": "error"}, {"last_val_error_percent": None}], ids=str
)
@pytest.mark.parametrize("activation", ["polyneuron_r", "apl"])
def test_runs_without_a_value_that_could_turn_a_verdict_leave_it_open(columns, activation):
    sweep = best_by(0.3)
    assert judged(sweep).word == "supported"
    lose(sweep, 10, activation, **columns)
    verdict = judged(sweep)
    assert verdict.word == "not decided"
    assert verdict.reason.startswith("Not decided: 10 runs without a value could turn it")
    # one of twenty cannot: by at most the whole range of all values, the mean moves by a twentieth
    one = best_by(0.3)
    lose(one, 1, activation, **columns)
    assert judged(one).word == "supported"


def test_a_run_without_a_value_may_have_had_any_of_its_benchmark():
    """Another arm, which the claim does not compare, shows how large an error may be."""
    one = best_by(0.3)
    lose(one, 1, status="error")
    assert judged(one).word == "supported"
    poor = SyntheticSweep("poor")
    for seed in range(5):
        config = configuration(activation="relu", learning_rate=1e-2)
        poor.add_run(config, seed, np.array([30.0 + 0.1 * seed]), history=False)
    verdict = judged(one, poor)
    assert verdict.word == "not decided"
    assert verdict.reason.startswith("Not decided: 1 run without a value could turn it")


def test_a_contradiction_is_left_open_likewise():
    sweep = best_by(-0.3)
    assert judged(sweep).word == "contradicted"
    for activation in FIVE:
        lose(sweep, 12, activation, status="error")
    assert judged(sweep).word == "not decided"


def test_a_run_without_a_value_may_have_diverged():
    """26 of 30 ReLU-like starts are known to be sound, and four are not known at all."""
    claim = "relu_like_start_is_stable_polyneuron"
    sweeps = plant(claim, "true", np.random.default_rng(0))
    assert judged(*sweeps, claim=claim).word == "supported"
    for row in sweeps[0].rows["runs"]:
        if row["init"] == "relu_like" and row["seed"] == 0:
            row["status"] = "error"
    assert judged(*sweeps, claim=claim).word == "not decided"


def test_a_run_that_diverged_in_one_sweep_and_completed_in_another_is_in_conflict():
    first, second = best_by(0.3, name="first"), best_by(0.3, name="second")
    lose(second, 8, status="diverged")
    for sweeps in ((first, second), (second, first)):
        verdict = judged(*sweeps)
        assert verdict.word == "not decided"
        assert "8 runs without a value" in verdict.reason
        assert verdict.ledger.text == "planned 100, completed 92, in conflict 8, looks 1"
    frame = analysis.table1(MemoryResults([first, second])).set_index("activation")
    own = frame[frame["benchmark"] == "lenet5/mnist"].loc["polyneuron_r"]
    assert (own["n"], own["n_diverged"], own["n_conflict"]) == (12, 0, 8)


def test_a_conflict_counts_as_diverged_for_a_claim_on_stability():
    claim = "relu_like_start_is_stable_polyneuron"
    first, second = (plant(claim, "true", np.random.default_rng(0))[0] for _ in range(2))
    for row in second.rows["runs"]:
        row["sweep"] = "second"
        if row["init"] == "relu_like" and row["seed"] < 3:
            row["status"] = "diverged"
    second.rows["sweeps"][0]["sweep"] = "second"
    verdict = judged(first, second, claim=claim)
    assert all(one.diverged[1] == 3 for one in verdict.comparisons)


def test_of_two_values_that_of_the_first_sweep_counts_once():
    first, second = best_by(0.3, name="b"), best_by(5.0, name="a")
    for sweeps in ((first, second), (second, first)):
        once = independent(values(MemoryResults(sweeps)))
        assert len(once) == 100
        assert set(once["sweep"].astype(str)) == {"a"}


def test_a_ledger_names_what_became_of_every_run():
    sweep = best_by(0.3)
    lose(sweep, 2, status="error")
    lose(sweep, 3, "relu", status="diverged")
    lose(sweep, 1, "apl", reused_from="elsewhere")
    gone = [row for row in sweep.rows["runs"] if (row["activation"], row["seed"]) != ("swish", 19)]
    sweep.rows["runs"] = gone
    assert judged(sweep).ledger.text == (
        "planned 100, completed 94, diverged 3, error 2, missing 1, taken over 1, looks 1"
    )


@pytest.mark.parametrize("told", ["event", "specification", "row"])
def test_the_planned_runs_are_the_largest_number_that_was_ever_planned(told):
    """Seeds that a store lost, with the row that planned them, are missing all the same."""
    sweep = best_by(0.3)
    row = sweep.rows["sweeps"][0]
    if told == "event":
        at, detail = row["created_at"], "from 20 to 30 seeds a trial"
        sweep.rows["events"].append(
            {"sweep": "one", "run_id": "", "at": at, "kind": "extend", "detail": detail}
        )
    elif told == "specification":
        row["spec_json"] = json.dumps({"seeds": list(range(30))})
    else:
        row["seeds"] = 30
    ledger = judged(sweep).ledger
    assert (ledger.planned, dict(ledger.counts)["missing"]) == (150, 50)


def test_configurations_that_never_started_are_named():
    sweep = best_by(0.3)
    sweep.rows["sweeps"][0]["trials_planned"] = 7
    said = "planned 100, completed 100, never started in these sweeps 40"
    assert judged(sweep).ledger.text == f"{said}, looks 1"
    frame = analysis.table1(MemoryResults([sweep])).set_index("activation")
    assert frame.loc["relu", "ledger"].iloc[0] == (
        "planned 20, completed 20, never started in these sweeps 40"
    )


def test_a_run_of_a_search_that_is_not_at_hand_says_so_itself():
    sweep = best_by(0.3)
    lose(sweep, 20, reused_from="elsewhere", purpose="exploratory")
    assert judged(sweep).word == "not tested"
    lose(sweep, 20, purpose="confirmatory")
    assert judged(sweep).word == "supported"


@pytest.mark.parametrize("kind", [{"purpose": "exploratory"}, {"early_stopping": "asha"}], ids=str)
def test_a_run_that_is_taken_over_keeps_the_purpose_of_its_sweep(kind):
    search, sweep = best_by(0.3, name="search", **kind), best_by(0.3)
    lose(sweep, 20, reused_from="search")
    assert judged(search, sweep).word == "not tested"
    lose(sweep, 20, reused_from=None)
    assert judged(search, sweep).word == "supported"


def test_runs_in_another_setting_are_named_with_their_values():
    sweep = best_by(0.3)
    for seed in range(5):
        config = configuration(activation="relu", epsilon=1e-7, warm_up=3)
        sweep.add_run(config, seed, np.array([9.0]), history=False)
        config = configuration(activation="polyneuron", options={"s": 5})  # a claim asks for it
        sweep.add_run(config, seed, np.array([9.0]), history=False)
    found = Evidence(MemoryResults([sweep])).kept_apart("lenet5/mnist")
    said = "recipe.warm_up is 3, a setting that the paper does not have"
    assert found == {f"recipe.epsilon is 1e-07, not 1e-08; {said}": 5}
