"""A trial between its draw and its end, and what its worker reports of it.

Nothing heavy is imported here: these values travel between processes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from analysis.store.metric import EPOCH_SECONDS, Metric
from analysis.store.statuses import Status

_OUT_OF_MEMORY = re.compile(r"out of memory|not enough memory|OutOfMemoryError|MemoryError")

if TYPE_CHECKING:
    import optuna

    from sweeps.spec.search_space import Params


@dataclass(frozen=True)
class EpochEnded:
    """One of a trial's runs has finished an epoch, or a step of the user's training function."""

    seed_index: int
    """The seed's place in the trial's list, from 0."""
    epoch: int
    """From 1."""
    value: float | None
    """The metric after it, by default the validation error; None: not reported with this step."""
    warning: str = ""
    """What will soon go wrong in the run, the first time that it shows."""


@dataclass(frozen=True)
class TrialOutcome:
    """The end of a trial; each field but `also` is a column of the table `trials`.

    None: nobody knows, since the worker was lost or the sweep was interrupted.
    """

    status: Status
    """completed if every seed did; else the status of the first that did not."""
    objective: float | None = None
    """Mean over seeds, and what the specification adds; None unless every run completed."""
    objective_standard_error: float | None = None
    """Of the mean; None with a single seed."""
    also: Mapping[str, float] = field(default_factory=dict)
    """Means over seeds of the further objectives but `epoch_seconds`, by name; the column
    `also_json`. Empty where the objective is None."""
    seeds_done: int | None = None
    epochs_done: int | None = None
    """Over all seeds."""
    epoch_seconds: float | None = None
    """Mean over seeds of their median epoch; None where the objective is."""
    error: str | None = None
    """The reason of a trial that did not complete; empty for one that did."""
    hostname: str | None = None
    device: str | None = None
    queue_seconds: float | None = None
    """The worker's wait for the trial, without the search for it."""
    start_seconds: float | None = None
    """Imports and set-up of the worker, in its first trial; 0 in all others."""
    data_seconds: float | None = None
    """This and the next five are sums over the runs, see `trainers.seconds.Seconds`."""
    setup_seconds: float | None = None
    train_seconds: float | None = None
    evaluation_seconds: float | None = None
    snapshot_seconds: float | None = None
    checkpoint_seconds: float | None = None
    report_seconds: float | None = None
    other_load: float | None = None
    """Processor time of other processes while it trained, in cores; None unless it was timed."""
    started_at: datetime | None = None

    def values(self, also: Iterable[Metric]) -> list[float] | None:
        """Return the objective and the further ones; None unless the trial has all of them."""
        further = {EPOCH_SECONDS: self.epoch_seconds, **self.also}
        values = [self.objective, *(further.get(one.name) for one in also)]
        known = [value for value in values if value is not None]
        return known if len(known) == len(values) else None

    @property
    def out_of_memory(self) -> bool:
        """True of a trial that needed more memory than there was."""
        return self.status is Status.ERROR and bool(_OUT_OF_MEMORY.search(self.error or ""))


@dataclass
class OpenTrial:
    """A trial between its draw and its end, as the driver knows it."""

    number: int
    params: Params
    config_id: str
    given_at: float
    """When it was drawn, or last given to a worker, in seconds since 1970."""
    study_trial: optuna.Trial | None = field(repr=False)
    """None where the study knows the end already and only the store does not."""
    search_seconds: float = 0.0
    added_seeds: tuple[int, ...] = ()
    """Its seeds beyond those of the specification."""
    fresh: bool = False
    """True where the sweep has no record of its configuration, from this trial or another."""
    last_epoch: EpochEnded | None = None
    """The epoch that its worker reported last."""
    outcome: TrialOutcome | None = None
    """None until it has ended."""

    @property
    def status(self) -> Status:
        """Running until there is an outcome, then the outcome's."""
        return Status.RUNNING if self.outcome is None else self.outcome.status
