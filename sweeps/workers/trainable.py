"""The Ray worker: one process that takes trial after trial; it imports torch and data once."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ray
from ray import tune

from sweeps.search.open_trials import EpochEnded, TrialOutcome
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.workers.mailbox import opened, sealed
from sweeps.workers.messages import Answer, EpochAnswer, Joined, Message, Order, TrialEnded
from trainers.config import Execution
from trainers.records import EpochRecord, RunStopped


@dataclass(frozen=True)
class WorkerSettings:
    """Settings that all trials of a sweep share; they travel to the workers."""

    spec: SweepSpec
    paths: SweepPaths
    execution: Execution
    mailbox: str
    """Name of the actor through which the driver hands out trials."""


class _Driver:
    """The driver, as a worker talks to it."""

    def __init__(self, mailbox: str, spec: SweepSpec) -> None:
        self._mailbox: Any = ray.get_actor(mailbox)
        self._worker = tune.get_context().get_trial_id()
        self._judges = spec.early_stopping.rule != "none"
        self._epochs = spec.recipe.epochs
        self.queue_seconds = 0.0
        """The worker's wait for its trial, without the search for it."""

    def next_trial(self, last: TrialOutcome | None = None) -> Order | None:
        """Report how the last trial ended, if there was one, and wait for the next; None: none."""
        begun = time.perf_counter()
        order = self._ask(Joined() if last is None else TrialEnded(last))
        if not isinstance(order, Order):
            return None
        self.queue_seconds = time.perf_counter() - begun - order.search_seconds
        return order

    def epoch(self, seed_index: int, record: EpochRecord, warning: str) -> None:
        """Report an epoch of one of a trial's runs, with a warning or an empty text.

        Raises:
            RunStopped: the trial is pruned, or the sweep stops.
        """
        message = EpochEnded(seed_index, record.epoch, record.val_error_percent, warning)
        if record.epoch == self._epochs or not self._judges:
            # Without a rule no epoch has to wait for the driver's turn.
            stopping = self._mailbox.tell.remote(self._worker, sealed(message))
            # The last epoch ends the run by itself.
            if record.epoch < self._epochs and ray.get(stopping):
                raise RunStopped("interrupted")
            return
        verdict = self._ask(message)
        assert isinstance(verdict, EpochAnswer)
        if verdict.stopping:
            raise RunStopped("interrupted")
        if verdict.prune_reason:
            raise RunStopped("pruned", verdict.prune_reason)

    def _ask(self, message: Message) -> Answer:
        return opened(ray.get(self._mailbox.ask.remote(self._worker, sealed(message))))


def trainable(config: dict[str, Any], settings: WorkerSettings) -> None:
    """Train trials of the sweep until there are no more."""
    begun = time.time()
    from sweeps.workers.trial import train_trial  # torch: once a process, and counted as start time

    driver = _Driver(settings.mailbox, settings.spec)
    # Ray Tune prints a line for a trial that ends without ever having reported.
    tune.report({"ready": True})
    start_seconds = time.time() - begun
    order = driver.next_trial()
    while order is not None:
        received_at, queue_seconds = time.time(), driver.queue_seconds
        outcome = train_trial(
            settings.spec,
            settings.paths,
            order.number,
            order.params,
            settings.execution,
            driver.epoch,
            fresh=order.fresh,
            added_seeds=order.added_seeds,
        )
        timed = dataclasses.replace(
            outcome,
            # The worker's own start is part of its first trial, and of no other.
            started_at=datetime.fromtimestamp(received_at - start_seconds, UTC),
            queue_seconds=queue_seconds,
            start_seconds=start_seconds,
        )
        order = driver.next_trial(timed)
        start_seconds = 0.0
