"""Where the board of `shares` is kept: a file of this machine, or an actor of a Ray cluster."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any, Protocol

from sweeps.workers.shares import Board, Claim, Share

ANSWER_SECONDS = 5.0
FOLDER_VARIABLE = "SWEEPS_BOARD"
"""Names the folder in which the local sweeps of one user agree on the machine's cores."""


class BoardPlace(Protocol):
    """A board that several drivers reach."""

    def renew(self, key: str, claim: Claim, cpus: float, gpus: float) -> Share:
        """Take in a claim and return the sweep's share, as `Board.renew` does."""

    def leave(self, key: str) -> None:
        """Forget a sweep that has ended."""


class MachineBoard:
    """The board of the local sweeps of one user: each starts a Ray of its own."""

    def __init__(self) -> None:
        named = os.environ.get(FOLDER_VARIABLE)
        own = Path(tempfile.gettempdir()) / f"sweeps-{os.geteuid()}"
        self._folder = Path(named) if named else own

    def renew(self, key: str, claim: Claim, cpus: float, gpus: float) -> Share:
        """Take in a claim; where no board can be kept, the sweep has the machine to itself."""
        with contextlib.suppress(OSError), _Locked(self._folder) as locked:
            share = locked.board.renew(key, claim, cpus, gpus)
            locked.write()
            return share
        return Board().renew(key, claim, cpus, gpus)

    def leave(self, key: str) -> None:
        """Forget a sweep that has ended."""
        with contextlib.suppress(OSError), _Locked(self._folder) as locked:
            locked.board.leave(key)
            locked.write()


class _Locked:
    """The machine's board, while this process alone has it."""

    def __init__(self, folder: Path) -> None:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise PermissionError(f"{folder} belongs to another user")
        self._file = (folder / "board.json").open("a+")

    def __enter__(self) -> _Locked:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._file.seek(0)
        self.board = Board()
        # One that a killed process left half written: every sweep renews its claim in a second.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            self.board = Board.from_plain(json.loads(self._file.read() or "{}"))
        return self

    def write(self) -> None:
        self._file.truncate(0)
        self._file.write(json.dumps(self.board.to_plain()))
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        self._file.close()


class ClusterBoard:
    """The board of all sweeps of a Ray cluster: an actor that outlives each of their drivers."""

    def __init__(self) -> None:
        self._actor: Any = None

    def renew(self, key: str, claim: Claim, cpus: float, gpus: float) -> Share:
        """Take in a claim; an actor whose machine was lost is made anew.

        Raises:
            RayError: neither answers; GetTimeoutError, which is a TimeoutError too: not yet.
        """
        import ray
        from ray.exceptions import RayActorError

        if self._actor is None:
            self._actor = self._made()
        try:
            answer = self._actor.renew.remote(key, claim, cpus, gpus)
            share: Share = ray.get(answer, timeout=ANSWER_SECONDS)
        except RayActorError:
            self._actor = None
            raise
        return share

    def leave(self, key: str) -> None:
        """Forget a sweep that has ended."""
        if self._actor is not None:
            self._actor.leave.remote(key)

    def _made(self) -> Any:
        import ray

        options = {"name": "board", "namespace": "sweeps", "lifetime": "detached", "num_cpus": 0}
        return ray.remote(Board).options(**options, get_if_exists=True).remote()
