"""Drivers that are killed, stopped and resumed: no trial lost, none twice, none left running."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from optuna.trial import TrialState

import analysis
from analysis.store.folders import open_folder
from analysis.store.schema import SWEEPS
from analysis.store.table_files import write_table
from sweeps.store.locks import driver_alive
from sweeps.store.paths import SweepPaths

GRID = """
name: grid
data: {name: digits, train_images: 600}
recipe: {epochs: 3, flip: none}
activation: polyneuron_r
space: {s: {grid: [3, 5]}, learning_rate: {grid: [1e-3, 3e-3, 1e6]}}
search: grid
seeds: 2
"""
TPE = """
name: tpe
data: digits
recipe: {epochs: 1}
activation: relu
space: {learning_rate: {log: [1e-4, 1e-2]}, batch_size: {int: [64, 256]}}
search: {algorithm: tpe, trials: 8}
seeds: 2
"""
RUN = ["run_id", "trial", "seed", "status", "epochs_done", "last_val_error_percent", "stop_reason"]
TRIAL = ["trial", "config_id", "status", "objective", "objective_standard_error", "seeds_done"]
EPOCH = ["run_id", "epoch", "train_loss", "val_loss", "val_error_percent", "gradient_norm"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sweeps", *arguments]


def start_and_signal(folder: Path, arguments: list[str], after_runs: int, number: int) -> int:
    """Start a driver, send it a signal once so many runs have ended, and return its exit code."""
    with subprocess.Popen(command(*arguments), cwd=folder, stdout=subprocess.DEVNULL) as driver:
        deadline = time.monotonic() + 200
        while driver.poll() is None and _ended_runs(folder) < after_runs:
            assert time.monotonic() < deadline, "the sweep did not get under way"
            time.sleep(0.02)
        driver.send_signal(number)
        code = driver.wait(timeout=100)
    # The system ends the driver's child after the driver itself: a moment later.
    deadline = time.monotonic() + 20
    results = folder / "results"
    while any(driver_alive(SweepPaths(results, one.name)) for one in results.iterdir()):
        assert time.monotonic() < deadline, "the driver's child outlived it"
        time.sleep(0.02)
    return code


def _ended_runs(folder: Path) -> int:
    return len(list(folder.glob("results/*/checkpoints/*/final.ckpt")))


def states(folder: Path, name: str) -> list[TrialState]:
    storage = f"sqlite:///{folder / 'results' / name / 'study.db'}"
    return [one.state for one in optuna.load_study(study_name=name, storage=storage).trials]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, sweeps_here: Callable) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "grid.yaml").write_text(GRID)
    # One worker after the other finds what two side by side do.
    assert sweeps_here(folder, "run", "grid.yaml", "--set", "concurrency=1").returncode == 0
    return folder


def test_a_grid_killed_twice_ends_like_one_that_was_not(
    undisturbed: Path, tmp_path: Path, sweeps_here: Callable
) -> None:
    (tmp_path / "grid.yaml").write_text(GRID)
    assert start_and_signal(tmp_path, ["run", "grid.yaml"], 1, signal.SIGKILL) == -signal.SIGKILL
    code = start_and_signal(tmp_path, ["resume", "grid"], 5, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert "no driver runs this sweep any more" in sweeps_here(tmp_path, "status", "grid").stdout
    assert sweeps_here(tmp_path, "resume", "grid").returncode == 0
    here, there = analysis.load(tmp_path / "results"), analysis.load(undisturbed / "results")
    pd.testing.assert_frame_equal(here.runs[RUN], there.runs[RUN])
    pd.testing.assert_frame_equal(here.trials[TRIAL], there.trials[TRIAL])
    pd.testing.assert_frame_equal(here.epochs[EPOCH], there.epochs[EPOCH])
    assert states(tmp_path, "grid") == states(undisturbed, "grid")


def test_a_search_that_prunes_killed_and_resumed_loses_and_repeats_nothing() -> None:
    script = Path(__file__).with_name("killed_sweeps.py")
    options = ["search", "--trials", "10", "--kills", "1"]
    done = subprocess.run(
        [sys.executable, script, *options], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["faults"] == []
    assert report["trials"]["pruned"] > 0
    assert sum(report["trials"].values()) == 10


def test_a_stopped_sweep_is_interrupted_and_goes_on(tmp_path: Path, sweeps_here: Callable) -> None:
    spec = TPE.replace("epochs: 1", "epochs: 6").replace("trials: 8", "trials: 4")
    (tmp_path / "tpe.yaml").write_text(spec)
    with subprocess.Popen(command("run", "tpe.yaml"), cwd=tmp_path) as driver:
        while _ended_runs(tmp_path) < 1:
            assert driver.poll() is None
            time.sleep(0.02)
        assert "being run by another process" in sweeps_here(tmp_path, "resume", "tpe").stderr
        assert sweeps_here(tmp_path, "stop", "tpe").returncode == 0
        assert driver.wait(timeout=100) == 130
    results = analysis.load(tmp_path / "results")
    assert "running" not in set(results.runs["status"]) | set(results.trials["status"])
    assert "interrupted" in set(results.trials["status"])
    assert TrialState.RUNNING not in states(tmp_path, "tpe")
    stopped = sweeps_here(tmp_path, "stop", "tpe")
    assert (stopped.returncode, "nobody runs the sweep" in stopped.stderr) == (2, True)
    assert sweeps_here(tmp_path, "resume", "tpe").returncode == 0
    assert states(tmp_path, "tpe") == [TrialState.COMPLETE] * 4
    assert set(analysis.load(tmp_path / "results").runs["status"]) == {"completed"}


def test_more_trials_and_seeds_train_only_what_is_new(
    tmp_path: Path, sweeps_here: Callable
) -> None:
    (tmp_path / "tpe.yaml").write_text(TPE.replace("trials: 8", "trials: 2") + "concurrency: 1\n")
    assert sweeps_here(tmp_path, "run", "tpe.yaml").returncode == 0
    before = analysis.load(tmp_path / "results").runs.set_index("run_id")
    assert sweeps_here(tmp_path, "extend", "tpe", "--trials", "+1", "--seeds", "3").returncode == 0
    results = analysis.load(tmp_path / "results")
    after = results.runs.set_index("run_id")
    assert len(after) == 9
    assert list(results.trials["seeds_done"]) == [3, 3, 3]
    for trial in range(3):
        errors = after.loc[after["trial"] == trial, "last_val_error_percent"]
        objective = results.trials.set_index("trial").loc[trial, "objective"]
        assert objective == pytest.approx(errors.mean(), rel=1e-12)
    for run_id, run in before.iterrows():
        assert after.loc[run_id, "ended_at"] == run["ended_at"]
    refused = sweeps_here(tmp_path, "extend", "tpe", "--seeds", "2")
    assert (refused.returncode, "ask for more than that" in refused.stderr) == (2, True)


def test_changed_code_is_refused_until_accepted(undisturbed: Path, sweeps_here: Callable) -> None:
    file = undisturbed / "results" / "grid" / "tables" / "sweeps.parquet"
    original = file.read_bytes()
    older = pa.array(["0.0.1+older"])
    rows = pq.read_table(file)
    column = rows.schema.get_field_index("code_version")
    changed = rows.set_column(column, rows.schema.field(column), older)
    write_table(open_folder(file), SWEEPS, [changed])
    try:
        refused = sweeps_here(undisturbed, "resume", "grid")
        assert refused.returncode == 2
        assert "training code: 0.0.1+older -> " in refused.stderr
        assert "--accept-changes" in refused.stderr
    finally:
        file.write_bytes(original)
    missing = sweeps_here(undisturbed, "resume", "grind")
    assert (missing.returncode, "did you mean 'grid'" in missing.stderr) == (2, True)
    assert [folder.name for folder in (undisturbed / "results").iterdir()] == ["grid"]
