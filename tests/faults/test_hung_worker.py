"""A worker that hangs is replaced, and the sweep finds what it would have found."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

import analysis
from sweeps.workers.ports import descendants

SPEC = """
name: hung
data: {name: digits, train_images: 600}
recipe: {epochs: 3, flip: none}
activation: relu
space: {learning_rate: {grid: [1e-3, 3e-3, 1e-2]}}
search: grid
seeds: 1
concurrency: 1
limits: {silence_seconds: 10}
"""
TRIAL = ["trial", "config_id", "status", "objective", "seeds_done"]
EPOCH = ["run_id", "epoch", "train_loss", "val_error_percent", "gradient_norm"]


def workers_of(driver: int) -> list[int]:
    """List the processes that train; Ray names them after Tune's class."""
    found = []
    for pid in descendants(driver):
        try:
            name = Path(f"/proc/{pid}/comm").read_text()
        except OSError:
            continue
        if name.startswith("ray::ImplicitFu"):
            found.append(pid)
    return found


def test_a_stopped_worker_is_replaced_and_the_table_is_right(
    tmp_path: Path, sweeps_here: Callable
) -> None:
    (tmp_path / "hung.yaml").write_text(SPEC)
    command = [sys.executable, "-m", "sweeps", "run", "hung.yaml"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as driver:
        while not list(tmp_path.glob("results/hung/checkpoints/*/final.ckpt")):
            assert driver.poll() is None
            time.sleep(0.05)
        (worker,) = workers_of(driver.pid)
        os.kill(worker, signal.SIGSTOP)
        out, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, out
    assert "lost its worker and goes on elsewhere: no sign of life" in out
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    assert sweeps_here(undisturbed, "run", str(tmp_path / "hung.yaml")).returncode == 0
    here, there = analysis.load(tmp_path / "results"), analysis.load(undisturbed / "results")
    pd.testing.assert_frame_equal(here.trials[TRIAL], there.trials[TRIAL])
    pd.testing.assert_frame_equal(here.epochs[EPOCH], there.epochs[EPOCH])
    (loss,) = here.events.loc[here.events["kind"] == "loss", "detail"]
    assert "no sign of life" in loss
    assert not workers_of(os.getpid())
