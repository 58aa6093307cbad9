"""The Ray worker: one process that takes trial after trial; it imports torch and data once."""

from __future__ import annotations

import dataclasses
import pickle
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ray
from ray import tune

from sweeps.search.open_trials import EpochEnded, TrialOutcome
from sweeps.spec.own_modules import use_copy
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.workers.load import OtherLoad
from sweeps.workers.mailbox import opened, sealed
from sweeps.workers.messages import (
    Alive,
    Answer,
    EpochAnswer,
    Joined,
    Message,
    Order,
    TrialEnded,
)
from sweeps.workers.storage import StorageError
from trainers.config import Execution
from trainers.function import Step
from trainers.pulse import PULSE
from trainers.records import EpochRecord, RunStopped

ALIVE_SECONDS = 5.0
"""The time between two signs of life, or less where the limits are short."""


class RunTooLongError(RuntimeError):
    """A run takes longer than `limits.run_hours`."""


@dataclass(frozen=True)
class WorkerSettings:
    """Settings that all trials of a sweep share; they travel to the workers."""

    spec: SweepSpec
    paths: SweepPaths
    execution: Execution
    mailbox: str
    """Name of the actor through which the driver hands out trials."""
    host: str
    """Name of the driver's machine."""
    code_version: str
    """The driver's version of the training code."""


class _Driver:
    """The driver, as a worker talks to it."""

    def __init__(self, mailbox: str, spec: SweepSpec) -> None:
        self._mailbox: Any = ray.get_actor(mailbox)
        self._worker = tune.get_context().get_trial_id()
        self._judges = spec.early_stopping.rule != "none"
        self._epochs = spec.steps
        self._leaves = spec.purpose == "timing"
        self._limits = spec.limits
        self._run_began: tuple[int, float] = (0, 0.0)
        # The driver, which cannot reach this process, ends it by its handle.
        actor = ray.get_runtime_context().current_actor
        ray.get(self._mailbox.introduce.remote(self._worker, pickle.dumps(actor)))
        threading.Thread(target=self._keep_alive, name="signs of life", daemon=True).start()
        self.queue_seconds: float = 0.0
        """The worker's wait for its trial, without the search for it."""

    def next_trial(self, last: TrialOutcome | None = None, problem: str = "") -> Order | None:
        """Report how the last trial ended, if there was one, and wait for the next; None: none."""
        begun = time.perf_counter()
        if last is None:
            order = self._ask(Joined(problem))
        else:
            order = self._ask(TrialEnded(last, self._leaves), takes=not self._leaves)
        if not isinstance(order, Order):
            return None
        self._run_began = (0, time.monotonic())
        self.queue_seconds = time.perf_counter() - begun - order.search_seconds
        return order

    def epoch(self, seed_index: int, record: EpochRecord | Step, warning: str) -> None:
        """Report an epoch of one of a trial's runs, with a warning or an empty text.

        Raises:
            RunStopped: the trial is pruned, or the sweep stops.
            RunTooLongError: the run goes on for longer than it may.
        """
        value = record.value if isinstance(record, Step) else record.val_error_percent
        message = EpochEnded(seed_index, record.epoch, value, warning)
        if record.epoch == self._epochs or not self._judges:
            # Without a rule no epoch has to wait for the driver's turn.
            stopping = self._mailbox.tell.remote(self._worker, sealed(message))
            # The last epoch ends the run by itself.
            if record.epoch != self._epochs and ray.get(stopping):
                raise RunStopped("interrupted")
            self._check_time(seed_index, record)
            return
        verdict = self._ask(message)
        assert isinstance(verdict, EpochAnswer)
        if verdict.stopping:
            raise RunStopped("interrupted")
        if verdict.prune_reason:
            raise RunStopped("pruned", verdict.prune_reason)
        self._check_time(seed_index, record)

    def _check_time(self, seed_index: int, record: EpochRecord | Step) -> None:
        now = time.monotonic()
        if record.epoch == self._epochs:
            self._run_began = (seed_index + 1, now)
            return
        if seed_index != self._run_began[0]:  # the seeds between were trained before
            self._run_began = (seed_index, now)
        limit, hours = self._limits.run_hours, (now - self._run_began[1]) / 3600
        if limit is not None and hours > limit:
            raise RunTooLongError(
                f"limits.run_hours: {limit:g} have passed at epoch {record.epoch}"
                + (f" of {self._epochs}" if self._epochs else "")
            )

    def _keep_alive(self) -> None:
        pause = threading.Event()
        while not pause.wait(min(ALIVE_SECONDS, self._limits.silence_seconds / 4)):
            self._mailbox.tell.remote(self._worker, sealed(Alive(PULSE.steps)))

    def _ask(self, message: Message, takes: bool = False) -> Answer:
        return opened(ray.get(self._mailbox.ask.remote(self._worker, sealed(message), takes)))


def trainable(config: dict[str, Any], settings: WorkerSettings) -> None:
    """Train trials of the sweep until there are no more; of a timing sweep one."""
    begun = time.time()
    use_copy(settings.paths.modules)
    driver = _Driver(settings.mailbox, settings.spec)
    from sweeps.workers.readiness import problem_here
    from sweeps.workers.trial import train_trial  # torch: once a process, and counted as start time

    code = "" if settings.host == socket.gethostname() else settings.code_version
    problem = problem_here(settings.spec, settings.paths, settings.execution, code)
    # Ray Tune prints a line for a trial that ends without ever having reported.
    tune.report({"ready": True})
    start_seconds = time.time() - begun
    order = driver.next_trial(problem=problem)
    while order is not None:
        received_at, queue_seconds = time.time(), driver.queue_seconds
        load = OtherLoad() if settings.spec.purpose == "timing" else None
        try:
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
        except StorageError as error:
            order = driver.next_trial(problem=f"{error}")
            continue
        timed = dataclasses.replace(
            outcome,
            # The worker's own start is part of its first trial, and of no other.
            started_at=datetime.fromtimestamp(received_at - start_seconds, UTC),
            queue_seconds=queue_seconds,
            start_seconds=start_seconds,
            other_load=None if load is None else load.cores(),
        )
        order = driver.next_trial(timed)
        start_seconds = 0.0
