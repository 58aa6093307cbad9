"""Processes of a simulation: threads of which one runs at a time, and a disk that fails them.

The driver is the main thread. A worker is a thread that runs until it waits; whoever is killed
raises `Killed` at once, and again at everything that it still tries to write: a process that is
gone leaves what is on disk as it is.
"""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sweeps.search.study import SweepStudy

PLACES = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where simulated sweeps lie: in memory, where there is such a folder."""


class Killed(BaseException):
    """Ends the thread of a process that was killed; no code of the product catches it."""


class Process:
    """A worker's process: a thread that runs only while the simulation waits for it."""

    def __init__(self, name: str, work: Callable[[Process], None]) -> None:
        self.name = name
        self.killed = False
        self.ended = False
        self.failure: BaseException | None = None
        self._turn, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Let the process run until it waits or ends."""
        if not self.ended:
            self._turn.release()
            self._back.acquire()

    def kill(self) -> None:
        """Let the process end where it is."""
        self.killed = True
        self.go_on()
        assert self.ended

    def wait(self) -> None:
        """Give the turn back to the simulation; called by the process itself."""
        if self.killed:
            raise Killed
        self._back.release()
        self._turn.acquire()
        if self.killed:
            raise Killed

    def _run(self, work: Callable[[Process], None]) -> None:
        self._turn.acquire()
        try:
            if not self.killed:
                work(self)
        except Killed:
            pass
        except BaseException as error:  # shown by the simulation, in its own thread
            self.failure = error
        self.ended = True
        self._back.release()

    @property
    def here(self) -> bool:
        """True in the process itself."""
        return threading.current_thread() is self._thread


class Disk:
    """The calls by which the product makes files durable; each may be the last of its process."""

    def __init__(self, seed: random.Random) -> None:
        self._random = seed
        self.processes: list[Process] = []
        self.driver_killed = False
        self.kills = 0.0
        """The probability that the process dies at a call, before or after it."""
        self.errors = 0.0
        """The probability that a call fails."""
        self.counts: dict[str, int] = {}

    def call(self, real: Callable[[], object], halve: Callable[[], None] = lambda: None) -> object:
        """Make a call of the system, or what a fault makes of it."""
        process = next((one for one in self.processes if one.here), None)
        self._check(process)
        if self._random.random() < self.errors:
            self.count("disk error")
            number = self._random.choice([errno.ENOSPC, errno.EIO, errno.EPERM])
            raise OSError(number, os.strerror(number), "simulated")
        moment = self._random.choice(["before", "half", "after"])
        dies = self._random.random() < self.kills
        if dies and moment != "after":
            if moment == "half":
                halve()
            self._die(process)
        result = real()
        if dies:
            self._die(process)
        return result

    def count(self, kind: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def _check(self, process: Process | None) -> None:
        if self.driver_killed if process is None else process.killed:
            raise Killed

    def _die(self, process: Process | None) -> None:
        self.count("worker killed at the disk" if process else "driver killed at the disk")
        if process is None:
            self.driver_killed = True
        else:
            process.killed = True
        raise Killed


@contextmanager
def faulty(disk: Disk) -> Iterator[None]:
    """Have every durable write of the product go through a disk."""
    fsync, replace, unlink, save = os.fsync, Path.replace, Path.unlink, SweepStudy.save

    def halve(descriptor: int) -> None:
        with Path(f"/proc/self/fd/{descriptor}").open("rb+") as file:
            file.truncate(os.fstat(descriptor).st_size // 2)

    def faulty_fsync(descriptor: int) -> None:
        regular = Path(f"/proc/self/fd/{descriptor}").is_file()
        disk.call(lambda: None, lambda: halve(descriptor) if regular else None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", faulty_fsync)
        patch.setattr(Path, "replace", lambda a, b: disk.call(lambda: replace(a, b)))
        patch.setattr(
            Path, "unlink", lambda a, missing_ok=False: disk.call(lambda: unlink(a, missing_ok))
        )
        patch.setattr(SweepStudy, "save", lambda study: disk.call(lambda: save(study)))
        yield
    assert os.fsync is fsync
