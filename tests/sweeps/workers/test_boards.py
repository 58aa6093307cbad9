"""The board of a machine: kept in a file that is the user's alone."""

import os
import stat
from pathlib import Path

import pytest
from ray.exceptions import GetTimeoutError

from sweeps.workers.boards import MachineBoard
from sweeps.workers.places import Machines, Places
from sweeps.workers.shares import Claim, Share

CLAIM = Claim("one", 4, 0, 1, 0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWEEPS_BOARD", str(tmp_path / "board"))
    return tmp_path / "board"


def test_two_sweeps_of_one_machine_share_its_cores(folder: Path) -> None:
    first, second = MachineBoard(), MachineBoard()
    assert first.renew("a", CLAIM, 2, 0).free == 2
    share = second.renew("b", Claim("two", 4, 0, 1, 0), 2, 0)
    assert (share.places, share.free, share.others) == (1, 0, (("one", 2),))
    first.leave("a")
    assert second.renew("b", Claim("two", 4, 0, 1, 0), 2, 0).free == 2
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_board_that_was_cut_off_or_cannot_be_kept_stops_nobody(folder: Path) -> None:
    folder.mkdir()
    (folder / "board.json").write_text('{"a": {"cl')
    assert MachineBoard().renew("a", CLAIM, 2, 0).free == 2
    os.environ["SWEEPS_BOARD"] = str(folder / "board.json" / "no folder")
    assert MachineBoard().renew("a", CLAIM, 2, 0).free == 2


def test_a_sweep_says_for_whom_it_waits(folder: Path) -> None:
    machines = Machines(cpus=1, gpus=0)
    board = MachineBoard()
    with (
        Places(board, CLAIM, lambda: machines, growing=False) as first,
        Places(board, Claim("two", 4, 0, 1, 0), lambda: machines, growing=False) as second,
    ):
        assert (first.startable, first.company) == (1, "")
        assert second.startable == 0
        assert second.company == "waits for a place; one has 1"
        first.note(wanted=0)
        assert first.startable == 0, "at once, not with the next share"
        first.renew()
        second.renew()
        assert second.startable == 1


def test_where_machines_may_join_one_worker_more_is_asked_for(folder: Path) -> None:
    with Places(MachineBoard(), CLAIM, lambda: Machines(2, 0), growing=True) as places:
        assert places.startable == 3
        places.note(wanted=2)
        assert places.startable == 2


class SlowBoard(MachineBoard):
    """Is asked once before it can answer, as an actor of a busy cluster."""

    asked = 0

    def renew(self, key: str, claim: Claim, cpus: float, gpus: float) -> Share:
        self.asked += 1
        if self.asked == 1:
            raise GetTimeoutError("Get timed out: some object(s) not ready.")
        return super().renew(key, claim, cpus, gpus)


def test_a_sweep_waits_for_a_board_that_starts_late(folder: Path) -> None:
    with Places(SlowBoard(), CLAIM, lambda: Machines(2, 0), growing=False) as places:
        assert places.kept == 0
        places.renew()
        assert places.kept == 2
