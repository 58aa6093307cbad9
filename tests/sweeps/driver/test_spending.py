import json
from pathlib import Path

import pytest

from sweeps.driver import spending
from sweeps.driver.spending import Spending, Spent, read_spent
from sweeps.spec.reading import parse_spec
from sweeps.store.paths import SweepPaths


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock of one number, that a test moves."""
    now = [0.0]
    monkeypatch.setattr(spending.time, "monotonic", lambda: now[0])
    return now


def spending_of(root: Path, gpus: float = 0, **budget: float) -> Spending:
    search = {"algorithm": "random", "trials": 9}
    raw = {"name": "spends", "search": search, "budget": budget, "resources": {"gpus": gpus}}
    paths = SweepPaths(root, "spends")
    paths.folder.mkdir(parents=True, exist_ok=True)
    return Spending(parse_spec(raw), paths)


def test_without_a_budget_nothing_is_ever_spent(tmp_path: Path, clock: list[float]) -> None:
    watched = spending_of(tmp_path)
    clock[0] = 1e9
    assert watched.limit_reached(running=2) == ""


def test_wall_time_counts_while_a_trial_runs(tmp_path: Path, clock: list[float]) -> None:
    watched = spending_of(tmp_path, wall_hours=1)
    clock[0] = 3000
    assert watched.limit_reached(running=2) == ""
    clock[0] = 9000
    assert watched.limit_reached(running=0) == ""
    clock[0] = 9600
    assert watched.limit_reached(running=1) == "budget.wall_hours: 1 are spent"


def test_gpu_hours_count_the_share_that_trials_hold(tmp_path: Path, clock: list[float]) -> None:
    watched = spending_of(tmp_path, gpus=0.25, gpu_hours=1)
    clock[0] = 3600
    assert watched.limit_reached(running=2) == ""
    assert read_spent(SweepPaths(tmp_path, "spends")) == Spent(3600, 1800)
    clock[0] = 7200
    assert watched.limit_reached(running=2) == "budget.gpu_hours: 1 are spent"


def test_a_resumed_sweep_counts_on(tmp_path: Path, clock: list[float]) -> None:
    first = spending_of(tmp_path, wall_hours=1)
    clock[0] = 2000
    first.limit_reached(running=1)
    second = spending_of(tmp_path, wall_hours=1)
    clock[0] = 3700
    assert second.limit_reached(running=1).startswith("budget.wall_hours")
    third = spending_of(tmp_path, wall_hours=1)
    assert third.limit_reached(running=0, now=True).startswith("budget.wall_hours")


def test_disk_space_is_the_whole_folder_s(tmp_path: Path, clock: list[float]) -> None:
    watched = spending_of(tmp_path, megabytes=1)
    (tmp_path / "spends" / "big").write_bytes(bytes(1_000_001))
    assert watched.limit_reached(running=1, now=True) == "budget.megabytes: 1 are used"


def test_a_driver_that_was_killed_loses_seconds_at_most(tmp_path: Path, clock: list[float]) -> None:
    watched = spending_of(tmp_path, wall_hours=1)
    clock[0] = spending.LOOK_SECONDS + 1
    watched.limit_reached(running=1)
    noted = json.loads((tmp_path / "spends" / "spent.json").read_text())
    assert noted["wall_seconds"] == spending.LOOK_SECONDS + 1
