"""Fair shares: how many workers each sweep may have where several share their machines.

Each driver tells a board, every second, how many workers it could use; the board answers with the
sweep's share. A share that shrinks is given back as trials end, and nothing is taken by force.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

TURN_SECONDS = 20.0
"""Where there are fewer places than sweeps, each keeps its place so long, times its priority, and
to the end of its trial: the process of a worker takes some seconds to start."""
LONG_WAIT_TURNS = 3
"""After so many turns a sweep that waits comes before those whose turn is not over."""
FORGET_SECONDS = 10.0
"""A sweep that did not renew its claim for so long has ended."""


@dataclass(frozen=True)
class Claim:
    """What a sweep asks of the machines."""

    sweep: str
    wanted: int
    """Workers that it could use if it were alone."""
    held: int
    """Workers that it has."""
    cpus: float
    """Of a worker."""
    gpus: float
    """Of a worker."""
    priority: float = 1.0


@dataclass(frozen=True)
class Share:
    """A board's answer to a claim."""

    places: int
    """Workers that the sweep may keep."""
    free: int
    """Workers that it may have now; less than `places` until others have given theirs back."""
    others: tuple[tuple[str, int], ...] = ()
    """The other sweeps, and how many workers each has."""
    contended: bool = False
    """True while another sweep has less than its share."""


@dataclass
class _Entry:
    claim: Claim
    renewed_at: float
    waits_since: float
    began_at: float | None = None
    """Since when it has had a place without a break; None while it has none."""
    reserved: int = 0
    """Workers that it has, or may start."""
    trained: bool = False


class Board:
    """The sweeps that share some machines, and what each may have of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def renew(self, key: str, claim: Claim, cpus: float, gpus: float) -> Share:
        """Take in a sweep's claim and return its share.

        Args:
            key: of the driver: two sweeps may have one name.
            claim: of the sweep.
            cpus: of all machines together.
            gpus: of all machines together.
        """
        now = self._clock()
        self._forget(now)
        entry = self._entries.setdefault(key, _Entry(claim, now, now, reserved=claim.held))
        entry.claim, entry.renewed_at = claim, now
        places = self._divided(cpus, gpus, now)
        others = {name: one for name, one in self._entries.items() if name != key}
        if places[key] > entry.reserved:
            # Shares that others have not taken yet are kept for them: else one that needs several
            # cores would find each of them taken as it becomes free.
            taken = [(one.claim, max(one.reserved, places[name])) for name, one in others.items()]
            entry.reserved = max(entry.reserved, min(places[key], _room(claim, taken, cpus, gpus)))
        else:
            # Its workers leave as their trials end.
            entry.reserved = max(places[key], min(entry.reserved, claim.held))
        _note_turn(entry, now)
        return Share(
            places[key],
            min(places[key], entry.reserved),
            tuple((one.claim.sweep, one.reserved) for one in others.values()),
            any(one.reserved < places[name] for name, one in others.items()),
        )

    def leave(self, key: str) -> None:
        """Forget a sweep that has ended."""
        self._entries.pop(key, None)

    def to_plain(self) -> dict[str, Any]:
        """Return all entries as plain values."""
        return {key: asdict(entry) for key, entry in self._entries.items()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Board:
        """Make a board of what `to_plain` returned."""
        board = cls()
        for key, fields in plain.items():
            board._entries[key] = _Entry(**{**fields, "claim": Claim(**fields["claim"])})
        return board

    def _forget(self, now: float) -> None:
        for key, entry in list(self._entries.items()):
            if not 0 <= now - entry.renewed_at <= FORGET_SECONDS:
                del self._entries[key]

    def _divided(self, cpus: float, gpus: float, now: float) -> dict[str, int]:
        """Give out all places, one after the other, each to the sweep that has the least."""
        places = dict.fromkeys(self._entries, 0)
        starving = [one for one in self._entries.values() if one.claim.wanted and not one.reserved]
        while True:
            fitting = [
                key
                for key, entry in self._entries.items()
                if places[key] < entry.claim.wanted
                and entry.claim.cpus <= cpus
                and entry.claim.gpus <= gpus
            ]
            if not fitting:
                return places
            first = min(
                fitting, key=lambda key: _rank(self._entries[key], places[key], starving, now)
            )
            places[first] += 1
            cpus -= self._entries[first].claim.cpus
            gpus -= self._entries[first].claim.gpus


def _rank(
    entry: _Entry, given: int, starving: list[_Entry], now: float
) -> tuple[float, int, float]:
    """Sort sweeps that might get the next place: the least served; then who has it already."""
    claim = entry.claim
    served = given * max(claim.cpus, claim.gpus) / claim.priority
    if given >= entry.reserved:
        # One that needs several cores waits for turns that never end together.
        long = entry.reserved == 0 and now - entry.waits_since > LONG_WAIT_TURNS * TURN_SECONDS
        return served, -1 if long else 1, entry.waits_since
    turn = 0.0 if any(not one.trained for one in starving) else TURN_SECONDS * claim.priority
    over = bool(starving) and entry.began_at is not None and now - entry.began_at >= turn
    return served, 2 if over else 0, entry.began_at or now


def _room(claim: Claim, taken: list[tuple[Claim, int]], cpus: float, gpus: float) -> int:
    """Count the workers that fit beside those that others have."""
    cpus -= sum(one.cpus * max(reserved, one.held) for one, reserved in taken)
    gpus -= sum(one.gpus * max(reserved, one.held) for one, reserved in taken)
    room = int(cpus / claim.cpus + 1e-9)
    return max(0, room if claim.gpus == 0 else min(room, int(gpus / claim.gpus + 1e-9)))


def _note_turn(entry: _Entry, now: float) -> None:
    if entry.reserved == 0 and entry.began_at is not None:
        entry.began_at, entry.waits_since = None, now
    elif entry.reserved > 0 and entry.began_at is None:
        entry.began_at, entry.trained = now, True
