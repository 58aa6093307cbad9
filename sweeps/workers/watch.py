"""The watch over workers: which of them hang."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sweeps.search.open_trials import EpochEnded
from sweeps.spec.sections import LimitsSection
from sweeps.workers.messages import Alive, Message

STALL_STEPS = 20
STALL_SECONDS = 120.0
"""A training has stalled after so many times its usual step, and not before so many seconds."""
PACES = 64
"""Signs of life of which the usual step is the median."""


@dataclass
class _Worker:
    heard_at: float
    moved_at: float
    """When it was given a trial, or last took a step."""
    training: bool = False
    stepping: bool = False
    """True once the run at hand has taken a step."""
    steps: int | None = None


class Watch:
    """Knows when each worker gave a sign of life and took a step, by the driver's clock alone."""

    def __init__(
        self,
        limits: LimitsSection,
        epochs: int,
        now: Callable[[], float] = time.monotonic,
        counts_steps: bool = True,
    ) -> None:
        """Watch workers.

        Args:
            limits: after which a worker hangs.
            epochs: of a run.
            now: the clock, in seconds.
            counts_steps: False: runs tell of nothing but their reports, between which any time may
                pass unless `limits.stall_seconds` says otherwise.
        """
        self._limits = limits
        self._epochs = epochs
        self._counts_steps = counts_steps
        self._now = now
        self._looked_at = now()
        self._workers: dict[str, _Worker] = {}
        self._paces: deque[float] = deque(maxlen=PACES)

    def hear(self, worker: str, message: Message) -> None:
        """Take in a letter of a worker."""
        now = self._now()
        one = self._workers.setdefault(worker, _Worker(now, now))
        one.heard_at = now
        match message:
            case Alive(steps):
                self._count(one, steps, now)
            case EpochEnded(epoch=epoch):
                # The next seed's run starts after the last epoch.
                one.moved_at, one.stepping = now, epoch < self._epochs
            case _:
                one.training = False

    def give(self, worker: str) -> None:
        """Note that a worker begins a trial."""
        now = self._now()
        one = self._workers.setdefault(worker, _Worker(now, now))
        one.training, one.stepping, one.moved_at = True, False, now

    def forget(self, worker: str) -> None:
        """Forget a worker that is gone."""
        self._workers.pop(worker, None)

    def overdue(self) -> Iterator[tuple[str, str]]:
        """Yield the workers that hang, each with the limit that it broke; forget them."""
        now = self._now()
        gap, self._looked_at = now - self._looked_at, now
        if gap > self._limits.silence_seconds / 2:
            # This process stood still itself, or its whole machine did: letters are on their way.
            for one in self._workers.values():
                one.heard_at = one.moved_at = now
            return
        for worker, one in list(self._workers.items()):
            if reason := self._broken_limit(one, now):
                self.forget(worker)
                yield worker, reason

    def _count(self, one: _Worker, steps: int, now: float) -> None:
        if one.steps is not None and steps > one.steps and one.training:
            if one.stepping:
                self._paces.append((now - one.moved_at) / (steps - one.steps))
            one.stepping, one.moved_at = True, now
        one.steps = steps

    def _broken_limit(self, one: _Worker, now: float) -> str:
        silence = now - one.heard_at
        if silence > self._limits.silence_seconds:
            return f"no sign of life for {silence:.0f} s (limits.silence_seconds)"
        if not one.training:
            return ""
        still = now - one.moved_at
        if not self._counts_steps:
            limit = self._limits.stall_seconds
            late = limit is not None and still > limit
            return f"no report for {still:.0f} s (limits.stall_seconds)" if late else ""
        if not one.stepping:
            late = still > self._limits.start_seconds
            return f"no first step for {still:.0f} s (limits.start_seconds)" if late else ""
        if still > self._stall_seconds():
            return f"no training step for {still:.0f} s (limits.stall_seconds)"
        return ""

    def _stall_seconds(self) -> float:
        if self._limits.stall_seconds is not None:
            return self._limits.stall_seconds
        usual = statistics.median(self._paces) if self._paces else 0.0
        return max(STALL_SECONDS, STALL_STEPS * usual)
