"""A sweep before it starts: its power, its cost, its warnings."""

from pathlib import Path

import pytest
from rich.console import Console

from analysis.statistics.power import power_of
from sweeps.driver.preparation import prepare
from sweeps.driver.single_run import single_run_spec, train_single_run
from sweeps.planning.cost import costs, measure
from sweeps.planning.plan import warnings
from sweeps.planning.power import deviation, prospects
from sweeps.spec.reading import load_spec

MNIST_POINTS = 0.12 / (1.96 * (2 / 5) ** 0.5)
"""The deviation that claims.toml assumes of LeNet-5 on MNIST."""


def prospect(spec: str, claim: str, *settings: str):
    found = {one.claim: one for one in prospects(load_spec(spec, settings), MNIST_POINTS)}
    return found.get(claim)


def test_five_seeds_seldom_see_the_papers_smallest_gap_on_mnist() -> None:
    """Five of at most ten seeds are a first look, at 0.3 %; two means take twenty for 80 %."""
    one = prospect("table1_lenet5", "relaxed_best_on_lenet5")
    assert one.comparison == "PolyNeuron-R against PolyNeuron"
    assert one.runs == (5, 5)
    alone = power_of("difference", 0.09, MNIST_POINTS, 5, alpha=0.00305)
    assert 0 < one.power < alone < 0.05  # beside it there are three easier comparisons
    assert one.seeds_needed == 20
    assert one.lacking == ""


def test_the_seeds_that_are_said_to_be_needed_are_enough() -> None:
    few = prospect("table1_lenet5", "relaxed_best_on_lenet5", "seeds=19")
    enough = prospect("table1_lenet5", "relaxed_best_on_lenet5", "seeds=20")
    assert few.power < 0.8 <= enough.power


def test_blocks_of_a_factor_lend_each_other_runs() -> None:
    """Three levels of s give fifteen runs at each k with five seeds; k = 4 and 5 both have to."""
    one = prospect("ablation_sk", "no_gain_above_k3")
    assert one.runs == (15, 15)
    assert one.seeds_needed == 6
    alone = power_of("no_gain", 0.10, MNIST_POINTS, 15)
    assert alone**2 < one.power < alone  # both share k = 3


def test_what_a_design_lacks_for_its_claims_is_named() -> None:
    one = prospect("ablation_sk", "no_gain_above_k3", "space.k.grid=[1, 2, 3, 4]")
    assert (one.power, one.lacking) == (None, "PolyNeuron, k = 5 against 3: no runs of it")
    one = prospect("ablation_lambda_sum", "no_penalty_inconsistent")
    assert one.runs == (20, 70)
    assert one.lacking == "needs ablation_lambda_prod and no_penalty_lenet5 as well"
    one = prospect("table1_lenet5", "places_stay_without_lambda_prod", "seeds=4")
    assert one.lacking == "PolyNeuron-R: 4 runs, and it takes 5"
    assert prospect("table1_lenet5", "swish_best_on_resnet20") is None


def test_simulated_runs_are_not_said_to_have_lost_epochs(
    recwarn: pytest.WarningsRecorder,
) -> None:
    assert prospects(load_spec("table1_lenet5"), MNIST_POINTS)
    assert not list(recwarn)


def test_another_recipe_than_the_papers_decides_no_claim() -> None:
    found = prospects(load_spec("table1_lenet5", ["recipe.batch_size=64"]), MNIST_POINTS)
    assert found
    assert {one.lacking for one in found} == {"departs from the paper in recipe.batch_size"}


def test_no_deviation_is_assumed_of_a_benchmark_of_ones_own(tmp_path: Path) -> None:
    assert deviation(load_spec("quickstart", ["data=digits"]), tmp_path) is None
    assert deviation(load_spec("quickstart"), tmp_path).points == pytest.approx(MNIST_POINTS)


def test_a_plan_writes_nothing_where_tables_go(tmp_path: Path, monkeypatch) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    monkeypatch.setenv("SWEEPS_TABLES", tables.as_uri())
    spec = load_spec("table1_lenet5", ["data={name: digits, train_images: 64}", "seeds=2"])
    assert measure(spec, {"activation": "relu"}, tmp_path, 1.0) is not None
    prospects(load_spec("table1_lenet5"), MNIST_POINTS)
    assert not any(tables.iterdir())


def test_earlier_runs_of_this_machine_stand_in_for_a_calibration(tmp_path: Path) -> None:
    run = single_run_spec("swish", "lenet5", "digits", 0, 2, ["data.train_images=200"], "one")
    train_single_run(prepare(run), tmp_path, "cpu", False, Console(quiet=True))
    settings = ["data={name: digits, train_images: 200}", "seeds=2", "space.activation=swish"]
    alike = prepare(load_spec("table1_lenet5", settings))
    known, source = costs(alike, tmp_path)
    assert source == "of 1 kinds of trial, 1 from earlier runs on this machine"
    other = prepare(load_spec("table1_lenet5", [*settings, "recipe.batch_size=64"]))
    calibrated, source = costs(other, tmp_path)
    assert "a calibration" in source
    for cost in (*known, *calibrated):
        assert min(cost.epoch_seconds, cost.result_bytes_per_epoch, cost.checkpoint_bytes) > 0
    tight = load_spec("table1_lenet5", [*settings, "budget.wall_hours=1e-9"])
    assert "budget.wall_hours: 1e-09 will be spent" in warnings(tight, known, tmp_path)[0]
