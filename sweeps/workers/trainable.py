"""The Ray worker: one process that takes trial after trial; it imports torch and data once."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune

from sweeps.spec.reading import parse_spec
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from trainers.config import Execution
from trainers.records import EpochRecord, RunStopped


@dataclass(frozen=True)
class WorkerSettings:
    """What every trial of a sweep shares; it travels to the workers."""

    spec: dict[str, Any]
    root: str
    data_root: str
    device: str
    threads: int
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
        """How long the last trial was waited for, beside the search for it."""

    def next_trial(self, outcome: Mapping[str, Any] | None = None) -> Mapping[str, Any] | None:
        """Say how the last trial ended, if there was one, and wait for the next; None: no more."""
        kind = "join" if outcome is None else "end"
        begun = time.perf_counter()
        trial = self._ask(kind, outcome or {})
        if trial is not None:
            self.queue_seconds = time.perf_counter() - begun - trial["search_seconds"]
        return trial

    def epoch(self, index: int, record: EpochRecord) -> None:
        """Report an epoch of one of a trial's runs.

        Raises:
            RunStopped: the trial is pruned, or the sweep is to stop.
        """
        error = record.val_error_percent
        content = {"run": index, "epoch": record.epoch, "val_error_percent": error}
        if record.epoch == self._epochs or not self._judges:
            stopping = self._mailbox.tell.remote(self._worker, "epoch", content)
            # The last epoch ends the run by itself.
            if record.epoch < self._epochs and ray.get(stopping):
                raise RunStopped("interrupted")
            return
        answer = self._ask("epoch", content)
        if answer["stop"]:
            raise RunStopped("interrupted")
        if answer["verdict"]:
            raise RunStopped("pruned", answer["verdict"])

    def _ask(self, kind: str, content: Mapping[str, Any]) -> Any:
        return ray.get(self._mailbox.ask.remote(self._worker, kind, content))


def trainable(config: dict[str, Any], settings: WorkerSettings) -> None:
    """Train trials of the sweep until there are no more."""
    begun = time.time()
    from sweeps.workers.trial import train_trial  # torch: once a process, and counted as start time

    spec = parse_spec(settings.spec)
    driver = _Driver(settings.mailbox, spec)
    paths = SweepPaths(Path(settings.root), spec.name)
    execution = Execution(
        device=settings.device,
        threads=settings.threads,
        data_root=Path(settings.data_root),
        checkpoint_folder=paths.checkpoints,
    )
    # Ray Tune prints a line for a trial that ends without ever having reported.
    tune.report({"ready": True})
    start_seconds = time.time() - begun
    trial = driver.next_trial()
    while trial is not None:
        received_at, queue_seconds = time.time(), driver.queue_seconds
        outcome = train_trial(
            spec,
            paths,
            trial["number"],
            trial["params"],
            execution,
            driver.epoch,
            fresh=trial["fresh"],
        )
        trial = driver.next_trial(
            {
                **dataclasses.asdict(outcome),
                # The worker's own start is part of its first trial, and of no other.
                "started_at": received_at - start_seconds,
                "queue_seconds": queue_seconds,
                "start_seconds": start_seconds,
            }
        )
        start_seconds = 0.0
