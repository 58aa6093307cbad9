"""A sweep before it starts: its power, its cost, its warnings."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from analysis.statistics.power import power_of
from sweeps.driver.preparation import prepare
from sweeps.planning import calibration, cost, kept_costs
from sweeps.planning.cost import cost_of
from sweeps.planning.idleness import free_share
from sweeps.planning.plan import warnings
from sweeps.planning.power import deviation, prospects
from sweeps.planning.stand_in import EXTENTS, random_images
from sweeps.spec.reading import load_spec
from trainers.data.datasets import available, data_root, load

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


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which measured costs are kept, and calibrations of the fewest steps."""
    monkeypatch.setattr(calibration, "MOST_STEPS", 1)
    folder = tmp_path / "cache" / "calibrations"
    monkeypatch.setattr(kept_costs, "folder", lambda: folder)
    return folder


DIGITS = [
    "data={name: digits, train_images: 200}",
    "seeds=2",
    "space.activation.grid=[swish, relu]",
]


def test_a_plan_writes_nothing_where_tables_go(tmp_path: Path, kept: Path, monkeypatch) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    monkeypatch.setenv("SWEEPS_TABLES", tables.as_uri())
    assert cost_of(prepare(load_spec("table1_lenet5", DIGITS), elsewhere=True)).runs
    prospects(load_spec("table1_lenet5"), MNIST_POINTS)
    assert not any(tables.iterdir())


def test_costs_are_kept_for_this_machine_and_the_same_work(kept: Path, monkeypatch) -> None:
    spec = load_spec("table1_lenet5", DIGITS)
    first = cost_of(prepare(spec))
    assert len(list(kept.iterdir())) == 2
    monkeypatch.setattr(cost, "calibrate", lambda *_: pytest.fail("measured again"))
    rates = prepare(load_spec("table1_lenet5", [*DIGITS, "recipe.learning_rate=0.01"]))
    assert cost_of(rates).runs == first.runs
    longer = cost_of(prepare(load_spec("table1_lenet5", [*DIGITS, "recipe.epochs=60"])))
    assert longer.total_seconds(spec)[0] > 1.5 * first.total_seconds(spec)[0]
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        cost_of(prepare(load_spec("table1_lenet5", [*DIGITS, "recipe.batch_size=64"])))


def test_a_damaged_or_closed_cache_costs_a_calibration_alone(kept: Path) -> None:
    prepared = prepare(load_spec("table1_lenet5", DIGITS))
    cost_of(prepared)
    for file in kept.iterdir():
        file.write_text("{")
    assert cost_of(prepared).runs
    assert all(json.loads(file.read_text()) for file in kept.iterdir())
    shutil.rmtree(kept)
    kept.write_text("")  # a file where the folder would be
    assert cost_of(prepared).runs


def test_a_calibration_that_runs_out_of_time_lets_known_kinds_stand_for_the_others(
    kept: Path, monkeypatch
) -> None:
    clock = iter([0.0, 1.0, 100.0])
    monkeypatch.setattr(cost, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    found = cost_of(prepare(load_spec("table1_lenet5", DIGITS)))
    assert "1 of 2 kinds of trial, which stand for the others" in found.source
    assert len(found.runs) == 1


def test_a_sweep_is_planned_whose_data_are_not_here(
    tmp_path: Path, kept: Path, monkeypatch
) -> None:
    monkeypatch.setenv("SWEEPS_DATA", str(tmp_path / "nothing"))
    settings = ["data={name: mnist, train_images: 256}", "space.activation.grid=[relu]"]
    found = cost_of(prepare(load_spec("table1_lenet5", settings), elsewhere=True))
    assert "random images of MNIST's number and size" in found.source
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", EXTENTS)
def test_random_images_have_the_number_and_shape_of_the_data_set(name: str) -> None:
    if not available(name):
        pytest.skip(f"{name} is not here")
    real, made = load(name, data_root()), random_images(name)
    shapes = [[one.shape for one in images.tensors()] for images in (real, made)]
    assert shapes[0] == shapes[1]
    assert [one.dtype for one in real.tensors()] == [one.dtype for one in made.tensors()]


def test_a_plan_is_a_range_and_names_what_this_machine_lacks(
    tmp_path: Path, kept: Path, monkeypatch
) -> None:
    found = cost_of(prepare(load_spec("table1_lenet5", DIGITS)))
    assert all(least < most for least, most in found.runs)
    many = [*DIGITS, "resources.cpus=1000", "budget.wall_hours=1e-9"]
    said = warnings(load_spec("table1_lenet5", many), found, tmp_path, free=0.5)
    assert "a trial asks for 1000 cores" in said[0]
    assert "this machine is busy" in said[1]
    assert "the wall time would be 2.0 times as long now" in said[1]
    assert "budget.wall_hours: 1e-09 may be spent" in said[2]


def test_a_core_that_another_program_uses_is_not_free() -> None:
    """Two programs on one core get half of it each; 0.75 leaves room for an uneven scheduler."""
    core = min(os.sched_getaffinity(0))
    spin = f"import os\nos.sched_setaffinity(0, [{core}])\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", spin]) as other:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, [core])
        try:
            assert free_share(1) < 0.75
        finally:
            os.sched_setaffinity(0, before)
            other.kill()
