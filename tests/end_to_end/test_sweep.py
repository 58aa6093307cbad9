"""Whole sweeps: real Ray, real Optuna, real digits."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import torch
from optuna.trial import TrialState

import analysis
from sweeps.search.study import create_study
from sweeps.spec.reading import load_spec
from sweeps.store.paths import SweepPaths
from trainers.trained import load_network

SPEC = """
name: small
network: lenet5
data: digits
recipe: {epochs: 2, flip: none}
space:
  activation: {grid: [relu, polyneuron_r]}
  learning_rate: {grid: [1e-3, 1e6]}
search: grid
seeds: 2
"""


def sweep(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "sweeps", *arguments]
    surroundings = {**os.environ, "COLUMNS": "160", **environment}
    return subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A sweep of four trials, two of which cannot but diverge; its folder and its output."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.yaml").write_text(SPEC)
    done = sweep(folder, "run", "small.yaml")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_every_trial_ends_and_is_said_to(finished: tuple[Path, str]) -> None:
    folder, output = finished
    trials = analysis.load(folder / "results").trials
    assert list(trials["trial"]) == [0, 1, 2, 3]
    assert sorted(trials["status"].astype(str)) == [
        "completed",
        "completed",
        "diverged",
        "diverged",
    ]
    for number in range(4):
        assert f"trial {number} " in output
    assert "best: trial" in output
    assert "Last result" not in output  # Ray Tune's own words, which are of workers
    assert "sweeps results small --csv" in output
    assert "sweeps report small" in output


def test_the_objective_is_the_mean_over_seeds(finished: tuple[Path, str]) -> None:
    results = analysis.load(finished[0] / "results")
    for _, trial in results.trials.iterrows():
        runs = results.runs[results.runs["trial"] == trial["trial"]]
        if trial["status"] == "completed":
            errors = runs["last_val_error_percent"].to_numpy(float)
            assert list(runs["seed"]) == [0, 1]
            assert trial["objective"] == pytest.approx(errors.mean(), rel=1e-12)
            expected = errors.std(ddof=1) / np.sqrt(2)
            assert trial["objective_standard_error"] == pytest.approx(expected, rel=1e-12)
        else:
            assert pd.isna(trial["objective"])
            assert "epoch 1" in trial["error"]


def test_the_commands_printed_at_the_end_run_when_pasted(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    folder, _ = finished
    # a narrow terminal, and a root with a long name and a space, may cut no command off
    root = tmp_path / f"a long name {'x' * 60}"
    shutil.copytree(folder / "results", root)
    output = sweep(tmp_path, "results", "small", "--root", root.name, COLUMNS="50").stdout
    commands = output.partition("Go on with\n")[2].splitlines()
    assert len(commands) == 2
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env={**os.environ, "PATH": path}, timeout=300
        )
        assert done.returncode == 0, command


def test_the_best_trials_network_is_exported_and_loads(
    finished: tuple[Path, str], tmp_path: Path, sweeps_here: Callable[..., Any]
) -> None:
    """Also from a second sweep, which took the runs over and has no weights of its own."""
    folder = tmp_path / "here"
    shutil.copytree(finished[0], folder)
    assert sweep(folder, "run", "small.yaml", "--name", "again").returncode == 0
    results = analysis.load(folder / "results", ["small"])
    number = results.trials.set_index("trial")["objective"].idxmin()
    of_the_best = results.runs[results.runs["trial"] == number]
    best = of_the_best["last_val_error_percent"].min()
    for name in ("small", "again"):
        done = sweeps_here(folder, "best", name, "--export", f"{name}.pt")
        assert done.returncode == 0, done.stderr
        assert f"{best:.2f} % error, the best of 2 seeds" in done.stdout
        net = load_network(folder / f"{name}.pt")
        assert net(torch.zeros(1, 1, 28, 28)).shape == (1, 10)
    beside = sweeps_here(folder, "compare", "small", "again").stdout
    assert beside.startswith("same settings\n")
    assert "2 runs shared" in beside, "one sweep took the other's runs over"
    assert "no sweep 'agian'" in sweeps_here(folder, "compare", "small", "agian").stderr
    shutil.rmtree(folder / "results" / "small" / "checkpoints")
    gone = sweeps_here(folder, "best", "again", "--export", "gone.pt")
    assert (gone.returncode, (folder / "gone.pt").exists()) == (2, False)
    assert "the weights of this run are not in" in gone.stderr


def test_a_resume_of_a_complete_sweep_says_what_would_add_to_it(
    finished: tuple[Path, str], sweeps_here: Callable[..., Any]
) -> None:
    done = sweeps_here(finished[0], "resume", "small")
    assert done.returncode == 0, done.stderr
    assert "small is complete, and nothing is left to train" in done.stdout
    assert "extend small --seeds N`" in done.stdout, "its grid has no more trials"


def test_a_retry_without_a_failed_trial_says_so(
    finished: tuple[Path, str], sweeps_here: Callable[..., Any]
) -> None:
    done = sweeps_here(finished[0], "retry", "small")
    assert done.returncode == 0, done.stderr
    assert "no trial of small ended in an error, so none is tried again" in done.stdout


def test_a_resumed_sweep_whose_study_lost_its_trials_ends(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    """As from a copy of the study without its write-ahead log: nothing is trained again."""
    folder = tmp_path / "here"
    shutil.copytree(finished[0], folder)
    spec, paths = load_spec(str(folder / "small.yaml")), SweepPaths(folder / "results", "small")
    before = analysis.load(paths.folder).runs
    paths.study.unlink()
    create_study(spec, paths).close()
    done = sweep(folder, "resume", "small")
    assert done.returncode == 0, done.stderr
    after = analysis.load(paths.folder).runs
    pd.testing.assert_frame_equal(before[["run_id", "ended_at"]], after[["run_id", "ended_at"]])


def test_a_search_wastes_no_seed_on_a_trial_that_diverged(finished: tuple[Path, str]) -> None:
    runs = analysis.load(finished[0] / "results").runs
    assert list(runs[runs["status"] == "diverged"]["seed"]) == [0, 0]


def test_a_study_read_with_plain_optuna_agrees_with_the_store(finished: tuple[Path, str]) -> None:
    folder = finished[0] / "results"
    trials = analysis.load(folder).trials.set_index("trial")
    storage = f"sqlite:///{folder / 'small' / 'study.db'}"
    study = optuna.load_study(study_name="small", storage=storage)
    assert len(study.trials) == 4
    for one in study.trials:
        status = trials.loc[one.number, "status"]
        assert one.state is {"completed": TrialState.COMPLETE}.get(status, TrialState.FAIL)
        assert one.user_attrs["config_id"] == trials.loc[one.number, "config_id"]
        if one.state is TrialState.COMPLETE:
            assert one.value == trials.loc[one.number, "objective"]


def test_every_run_has_its_records(finished: tuple[Path, str]) -> None:
    results = analysis.load(finished[0] / "results")
    completed = results.runs[results.runs["status"] == "completed"]
    assert len(completed) == 4
    assert not completed["run_id"].duplicated().any()
    for _, run in completed.iterrows():
        epochs = results.epochs[results.epochs["run_id"] == run["run_id"]]
        assert list(epochs["epoch"]) == [1, 2]
        assert epochs["val_error_percent"].iloc[-1] == run["last_val_error_percent"]
        correct = results.predictions.set_index("run_id").loc[run["run_id"], "correct_bits"]
        right = np.unpackbits(np.frombuffer(correct, np.uint8))[:360].sum()
        assert 100 * (1 - right / 360) == pytest.approx(run["last_val_error_percent"])


def test_times_of_a_trial_are_recorded_and_add_up(finished: tuple[Path, str]) -> None:
    trials = analysis.load(finished[0] / "results").trials
    spent = ("data", "setup", "train", "evaluation", "snapshot", "checkpoint", "report")
    columns = ["queue_seconds", "start_seconds", *(f"{part}_seconds" for part in spent)]
    times = trials[[*columns, "search_seconds"]]
    assert times.notna().all(axis=None)
    assert (times >= 0).all(axis=None)
    whole = (trials["ended_at"] - trials["started_at"]).dt.total_seconds()
    parts = times.drop(columns=["queue_seconds", "search_seconds"]).sum(axis=1)
    assert (parts <= whole + 0.05).all()


def test_the_results_are_compacted_and_nothing_runs_any_more(
    finished: tuple[Path, str], sweeps_here: Callable
) -> None:
    tables = finished[0] / "results" / "small" / "tables"
    assert not list(tables.glob("*/*"))
    assert {"runs.parquet", "epochs.parquet", "trials.parquet"} <= {
        p.name for p in tables.iterdir()
    }
    status = sweeps_here(finished[0], "status", "small")
    assert "4/4 trials done" in status.stdout
    assert "0 running" in status.stdout


def test_without_data_or_network_the_quickstart_says_so_and_uses_digits(tmp_path: Path) -> None:
    settings = ("search.trials=2", "recipe.epochs=1", "concurrency=1")
    arguments = ["run", "quickstart", *(f"--set={setting}" for setting in settings)]
    # An address that nobody answers stands in for the absent network.
    proxies = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    nowhere = {"SWEEPS_DATA": str(tmp_path / "none"), "HOME": str(tmp_path)}
    # The kernels, which take a compiler half a minute, are where they were.
    nowhere["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    done = sweep(tmp_path, *arguments, **proxies, **nowhere)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "training on digits instead" in line]
    assert "best: trial" in done.stdout
    assert set(analysis.load(tmp_path / "results").runs["benchmark"]) == {"lenet5/digits"}


def test_a_lost_worker_starts_again_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(
        "data: digits\nsearch: grid\nseeds: 1\nactivation: relu\nrecipe: {epochs: 20}\n"
    )
    command = [sys.executable, "-m", "sweeps", "run", "one.yaml"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as driver:
        _wait_for(lambda: _epochs_done(tmp_path) >= 3)
        os.kill(_worker_of(driver.pid), signal.SIGKILL)
        assert driver.wait(timeout=200) == 0
    results = analysis.load(tmp_path / "results")
    assert list(results.trials["status"]) == ["completed"]
    assert list(results.epochs["epoch"]) == list(range(1, 21))
    assert "restore" in set(results.events["kind"])


def _epochs_done(folder: Path) -> int:
    return len(list(folder.glob("results/one/tables/parts/*.epochs.*")))


def _wait_for(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "the sweep did not get under way"
        time.sleep(0.05)


def _worker_of(driver: int) -> int:
    """Find the process of Ray that trains: the only trainable below the driver."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            title = (entry / "cmdline").read_bytes()
            ancestors = _ancestors(int(entry.name))
        except OSError:
            continue
        if b"ImplicitFunc" in title and driver in ancestors:
            return int(entry.name)
    raise AssertionError("no worker found")


def _ancestors(pid: int) -> list[int]:
    found = []
    while pid > 1:
        pid = int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        found.append(pid)
    return found
