"""The places of a sweep: how many workers it may have now, asked every second."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from sweeps.workers.boards import BoardPlace
from sweeps.workers.shares import Claim, Share

RENEW_SECONDS = 1.0


@dataclass(frozen=True)
class Machines:
    """What all machines have together."""

    cpus: float
    gpus: float


class Places:
    """A sweep's share of its machines; a thread renews the claim."""

    def __init__(
        self, board: BoardPlace, claim: Claim, machines: Callable[[], Machines], growing: bool
    ) -> None:
        """Claim places.

        Args:
            board: that all sweeps of the machines know.
            claim: of this sweep.
            machines: counts what there is now.
            growing: True where machines may join: then one worker more is asked for than fits,
                which shows Ray's autoscaler that there is demand.
        """
        self._board, self._claim, self._machines = board, claim, machines
        self._growing = growing
        self._key = uuid.uuid4().hex
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, name="places", daemon=True)
        self._share = Share(0, 0)

    def __enter__(self) -> Places:
        # On a busy cluster the board's process takes long to start: the sweep waits for its places.
        with contextlib.suppress(TimeoutError):
            self.renew()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with contextlib.suppress(Exception):  # Ray may be gone
            self._board.leave(self._key)

    def note(self, wanted: int | None = None, held: int | None = None) -> None:
        """Note how many workers the sweep could use, or how many it has."""
        if wanted is not None:
            self._claim = replace(self._claim, wanted=wanted)
        if held is not None:
            self._claim = replace(self._claim, held=held)

    def renew(self) -> None:
        """Renew the claim now."""
        machines = self._machines()
        self._share = self._board.renew(self._key, self._claim, machines.cpus, machines.gpus)

    @property
    def kept(self) -> int:
        """Workers that the sweep may keep."""
        return self._share.places

    @property
    def startable(self) -> int:
        """Workers that it may have now, those included that wait for their machine."""
        share = self._share
        more = self._growing and not share.contended and share.places < self._claim.wanted
        # The share follows a second later.
        return min(share.free + more, self._claim.wanted)

    @property
    def company(self) -> str:
        """Say who else has workers here, and whether this sweep waits for them; empty if nobody."""
        share = self._share
        held = ", ".join(f"{name} has {count}" for name, count in share.others if count > 0)
        if not held:
            return ""
        if share.free == 0 and self._claim.held == 0:
            return f"waits for a place; {held}"
        return f"shares the machines: {self._claim.held} of its workers here, {held}"

    def _keep_up(self) -> None:
        while not self._over.wait(RENEW_SECONDS):
            # Ray cannot be asked while it ends, and the letters say what became of it.
            with contextlib.suppress(Exception):
                self.renew()
