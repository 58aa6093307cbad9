import os
from pathlib import Path

import pytest

from sweeps.workers import load
from sweeps.workers.load import OtherLoad

TICKS = os.sysconf("SC_CLK_TCK")


def stat_of(cores: dict[str, list[float]]) -> str:
    """Seconds of user, nice, system, idle, iowait, irq, softirq, steal, guest and guest_nice."""
    lines = [f"{name} {' '.join(str(round(one * TICKS)) for one in cores[name])}" for name in cores]
    return "\n".join([*lines, "intr 1 2 3", "ctxt 4", "btime 5"])


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine of two cores, on one of which this process may run, and two clocks."""
    file, now = tmp_path / "stat", {"clock": 100.0, "own": 3.0}
    monkeypatch.setattr(load, "STAT", file)
    monkeypatch.setattr(load.os, "sched_getaffinity", lambda _: {1})
    monkeypatch.setattr(load.time, "monotonic", lambda: now["clock"])
    monkeypatch.setattr(load.time, "process_time", lambda: now["own"])

    def at(clock: float, own: float, mine: list[float], other: list[float]) -> None:
        now.update(clock=clock, own=own)
        both = [a + b for a, b in zip(mine, other, strict=True)]
        file.write_text(stat_of({"cpu": both, "cpu0": other, "cpu1": mine, "cpu10": both}))

    return at


def test_the_load_is_what_others_used_of_our_cores_by_the_clock(machine) -> None:
    machine(100.0, 3.0, [10, 1, 2, 500, 7, 0, 1, 0, 0, 0], [99.0] * 10)
    other = OtherLoad()
    machine(110.0, 11.0, [19, 1, 3, 505, 9, 1, 2, 1, 4, 0], [999.0] * 10)
    # 9 + 1 + 1 + 1 + 1 busy seconds, of which 8 are ours, in 10 s
    assert other.cores() == pytest.approx(0.5, abs=1 / TICKS)


def test_no_load_is_negative(machine) -> None:
    """The system counts in ticks, and this process's own clock is finer."""
    machine(0.0, 0.0, [0.0] * 10, [0.0] * 10)
    other = OtherLoad()
    machine(1.0, 1.004, [1.0, *[0.0] * 9], [0.0] * 10)
    assert other.cores() == 0.0


def test_a_system_that_does_not_tell_leaves_the_load_unknown(machine) -> None:
    assert OtherLoad().cores() is None
    machine(0.0, 0.0, [0.0] * 10, [0.0] * 10)
    other = OtherLoad()
    load.STAT.unlink()
    assert other.cores() is None
