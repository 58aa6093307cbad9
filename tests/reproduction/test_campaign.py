"""Kept work goes on in an empty folder: finished runs are taken over, cut-off ones begin again."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import analysis
from reproduction.campaign import PARTS, Part, keep, next_command, take
from sweeps.spec.reading import bundled_names

SPEC = """
name: small
data: {name: digits, train_images: 64}
recipe: {epochs: 40}
space: {learning_rate: {grid: [1e-3, 2e-3, 3e-3]}}
activation: relu
search: grid
seeds: 1
concurrency: 1
"""
PART = Part("small", (1, 2))
TRAINED = [
    "status",
    "epochs_done",
    "last_val_error_percent",
    "train_seconds",
    "started_at",
    "ended_at",
]


def runs(root: Path) -> pd.DataFrame:
    return analysis.load(root / "small").runs.astype(object)


def sweep(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "sweeps", *arguments], check=True, timeout=300)


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose sweep was killed after its first run."""
    folder = tmp_path_factory.mktemp("cut-off")
    (folder / "small.yaml").write_text(SPEC)
    command = [sys.executable, "-m", "sweeps", "run", "small.yaml", "--root", "here"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as driver:
        begun = folder / "here" / "small" / "checkpoints"
        while driver.poll() is None and len(list(begun.glob("*"))) < 2:
            time.sleep(0.02)
        driver.send_signal(signal.SIGKILL)
    found = runs(folder / "here")
    assert set(found["status"]) == {"completed", "running"}, "one run ended, one was under way"
    return folder / "here"


def test_the_campaign_is_made_of_bundled_sweeps() -> None:
    assert {part.sweep for part in PARTS} <= set(bundled_names())


def test_kept_work_goes_on_in_an_empty_folder(cut_off: Path, tmp_path: Path) -> None:
    stores, empty = tmp_path / "stores", tmp_path / "empty"
    before = runs(cut_off).set_index("run_id")
    keep(cut_off, [PART], stores)
    assert {path.name for path in (stores / "small").iterdir()} >= {"tables", "study.db"}
    assert not list(stores.rglob("*.ckpt"))
    take(empty, [PART], stores)
    steps = []
    while command := next_command(empty, PART):
        steps.append(command[0])
        sweep(*command)
    assert steps == ["resume", "extend"]
    after = runs(empty).set_index("run_id")
    assert len(after) == 6
    assert set(after["status"]) == {"completed"}
    finished = before.index[before["status"] == "completed"]
    # trained once: the very times of the first training are there
    pd.testing.assert_frame_equal(before.loc[finished, TRAINED], after.loc[finished, TRAINED])
    assert set(analysis.load(empty / "small").epochs.groupby("run_id", observed=True).size()) == {
        40
    }
    events = analysis.load(empty / "small").events
    (cut,) = before.index[before["status"] == "running"]
    kinds = events.loc[events["run_id"] == cut].sort_values("at")["kind"]
    assert list(kinds) == ["start", "start", "done"], "begun again, for lack of its checkpoint"


def test_a_sweep_that_is_not_there_is_run_and_one_that_is_there_stays(
    cut_off: Path, tmp_path: Path
) -> None:
    assert next_command(tmp_path, PART)[:2] == ["run", "small"]
    mine = tmp_path / "small" / "mine"
    mine.mkdir(parents=True)
    take(tmp_path, [PART], cut_off)
    assert list((tmp_path / "small").iterdir()) == [mine]
