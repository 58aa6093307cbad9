"""What a run leaves in the store, for each way in which it can end."""

import dataclasses
from pathlib import Path

import pytest

import analysis
from analysis.store.schema import RUNS
from analysis.store.statuses import Status
from sweeps.store import recorder
from sweeps.store.paths import SweepPaths
from sweeps.store.recorder import RunRecorder
from trainers import (
    ActivationConfig,
    DataConfig,
    EpochRecord,
    Event,
    Recipe,
    RunConfig,
    RunRecord,
    Snapshot,
)

CONFIG = RunConfig(
    ActivationConfig("polyneuron_r", options={"s": 3}),
    data=DataConfig("digits"),
    recipe=Recipe(epochs=2),
    seed=7,
)
SNAPSHOT = Snapshot(
    epoch=0,
    layer="act1",
    function=1,
    c_x=(-1.0, 0.0, 1.0),
    c_y=(0.0, 0.5, 1.0),
    w=(0.125, -0.25, 0.125),
    v0=0.5,
    v1=-0.25,
    curve_x=(-2.0, 2.0),
    curve_y=(0.0, 2.0),
    input_p01=-1.5,
    input_p99=2.0,
)
END = RunRecord(
    status="completed",
    epochs_planned=2,
    epochs_done=2,
    stop_reason="",
    last_val_error_percent=4.0,
    best_val_error_percent=3.0,
    best_epoch=1,
    parameters=61706,
    activation_functions=4,
    images_per_second=100.0,
    data_seconds=0.1,
    setup_seconds=0.02,
    train_seconds=3.0,
    evaluation_seconds=0.4,
    snapshot_seconds=0.03,
    checkpoint_seconds=0.05,
    data_sha256="d" * 64,
    device="cpu",
    tf32=False,
    correct_bits=b"\xff\x80",
)


def epoch(number: int) -> EpochRecord:
    names = [field.name for field in dataclasses.fields(EpochRecord)]
    others = {"epoch": number, "nonfinite_count": 0, "largest_input_layer": "act1"}
    return EpochRecord(**{**dict.fromkeys(names, 0.5), **others})


def recorded(root: Path, end: RunRecord) -> analysis.Results:
    paths = SweepPaths(root, "a")
    paths.create()
    one = RunRecorder(paths, 3, CONFIG, fresh=True)
    for record in (Event("start", 0), SNAPSHOT, epoch(1), epoch(2), end):
        one(record)
    return analysis.load(paths.folder)


def test_a_run_that_ends_at_once_is_written_at_once(tmp_path: Path) -> None:
    results = recorded(tmp_path, END)
    assert list(results.events["kind"]) == ["start"]
    # The first epoch is not the last, so it is written before the end is known.
    assert len(list((tmp_path / "a").glob("tables/parts/*"))) == 2


def test_the_start_of_a_longer_run_is_written_while_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LATER_SECONDS", 0.0)
    paths = SweepPaths(tmp_path, "a")
    paths.create()
    one = RunRecorder(paths, 3, CONFIG, fresh=True)
    one(SNAPSHOT)
    one(Event("start", 0))
    assert one._later is not None
    one._later.result(timeout=60)
    results = analysis.load(paths.folder)
    assert list(results.runs["status"]) == [Status.RUNNING]
    assert len(results.functions) == len(results.events) == 1
    for record in (epoch(1), epoch(2), END):
        one(record)
    assert list(analysis.load(paths.folder).runs["status"]) == [Status.COMPLETED]


@pytest.mark.parametrize("status", ["completed", "pruned", "diverged", "interrupted"])
def test_only_a_completed_run_has_predictions(tmp_path: Path, status: str) -> None:
    results = recorded(tmp_path, dataclasses.replace(END, status=status))
    assert list(results.runs["status"]) == [status]
    expected = [CONFIG.run_id] if status == Status.COMPLETED else []
    assert list(results.predictions["run_id"]) == expected
    assert list(results.predictions["correct_bits"]) == [END.correct_bits] * len(expected)


def test_a_completed_run_fills_every_column_of_its_row(tmp_path: Path) -> None:
    (row,) = recorded(tmp_path, END).runs.astype(object).to_dict("records")
    # What it is not: taken over from another sweep, which would name that sweep.
    empty = {name for name in RUNS.schema.names if row[name] is None or row[name] != row[name]}
    # Nor has it a training function of a user's own, which alone reports another metric.
    assert empty == {"reused_from", "purpose", "metric_value", "also_json"}
    assert (row["trial"], row["seed"], row["s"], row["k"]) == (3, 7, 3, 3)
    assert (row["learning_rate"], row["validation"], row["scope"]) == (1e-3, "test", "layer")
    assert (row["epoch_seconds"], row["parameters"]) == (0.5, 61706)


def test_a_snapshot_is_a_row_of_the_function_and_one_a_control_point(tmp_path: Path) -> None:
    results = recorded(tmp_path, END)
    points = results.snapshots
    assert list(points["point"]) == [0, 1, 2]
    assert set(points["layer"]) == {"act1"}
    for name in ("c_x", "c_y", "w"):
        assert tuple(points[name]) == getattr(SNAPSHOT, name)
    (function,) = results.functions.to_dict("records")
    assert (function["v0"], function["v1"], function["function"]) == (0.5, -0.25, 1)
    assert (tuple(function["curve_x"]), tuple(function["curve_y"])) == ((-2, 2), (0, 2))


def test_an_activation_without_splines_has_no_spline_columns(tmp_path: Path) -> None:
    from sweeps.store.rows import run_columns

    apl = dataclasses.replace(CONFIG, activation=ActivationConfig("apl", options={"s": 5}))
    columns = run_columns(apl)
    nulls = ("s", "k", "init", "lambda_sum", "lambda_prod")
    assert [columns[name] for name in nulls] == [None] * 5
