import json
from pathlib import Path

import pytest

from sweeps.driver import spending as limits
from sweeps.driver.spending import Limits, Spent, read_spent
from sweeps.spec.reading import parse_spec
from sweeps.store.paths import SweepPaths


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock of one number, that a test moves."""
    now = [0.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    return now


def limits_of(root: Path, gpus: float = 0, **budget: float) -> Limits:
    search = {"algorithm": "random", "trials": 9}
    raw = {"name": "spends", "search": search, "budget": budget, "resources": {"gpus": gpus}}
    paths = SweepPaths(root, "spends")
    paths.create(again=True)
    return Limits(parse_spec(raw), paths)


def test_without_a_budget_nothing_is_ever_spent(tmp_path: Path, clock: list[float]) -> None:
    watched = limits_of(tmp_path)
    clock[0] = 1e9
    assert watched.reached(running=2) == ""


def test_wall_time_counts_while_a_trial_runs(tmp_path: Path, clock: list[float]) -> None:
    watched = limits_of(tmp_path, wall_hours=1)
    clock[0] = 3000
    assert watched.reached(running=2) == ""
    clock[0] = 9000
    assert watched.reached(running=0) == ""
    clock[0] = 9600
    assert watched.reached(running=1) == "budget.wall_hours: 1 are spent"


def test_gpu_hours_count_the_share_that_trials_hold(tmp_path: Path, clock: list[float]) -> None:
    watched = limits_of(tmp_path, gpus=0.25, gpu_hours=1)
    clock[0] = 3600
    assert watched.reached(running=2) == ""
    assert read_spent(SweepPaths(tmp_path, "spends")) == Spent(3600, 1800)
    clock[0] = 7200
    assert watched.reached(running=2) == "budget.gpu_hours: 1 are spent"


def test_a_resumed_sweep_counts_on(tmp_path: Path, clock: list[float]) -> None:
    first = limits_of(tmp_path, wall_hours=1)
    clock[0] = 2000
    first.reached(running=1)
    second = limits_of(tmp_path, wall_hours=1)
    clock[0] = 3700
    assert second.reached(running=1).startswith("budget.wall_hours")
    third = limits_of(tmp_path, wall_hours=1)
    assert third.reached(running=0, now=True).startswith("budget.wall_hours")


def test_disk_space_is_the_whole_folder_s(tmp_path: Path, clock: list[float]) -> None:
    watched = limits_of(tmp_path, megabytes=1)
    (tmp_path / "spends" / "big").write_bytes(bytes(1_000_001))
    assert watched.reached(running=1, now=True) == "budget.megabytes: 1 are used"


def test_a_driver_that_was_killed_loses_seconds_at_most(tmp_path: Path, clock: list[float]) -> None:
    watched = limits_of(tmp_path, wall_hours=1)
    clock[0] = limits.LOOK_SECONDS + 1
    watched.reached(running=1)
    noted = json.loads((tmp_path / "spends" / "spent.json").read_text())
    assert noted["wall_seconds"] == limits.LOOK_SECONDS + 1
