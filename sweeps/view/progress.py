"""The state of a sweep at one moment, as one value that its driver keeps and others can read."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analysis.statistics.fronts import undominated
from analysis.store.metric import Metric
from analysis.store.statuses import Status

if TYPE_CHECKING:
    from sweeps.search.open_trials import EpochEnded, OpenTrial
    from sweeps.spec.search_space import Params

KEPT_TROUBLES = 3
"""Trials in trouble of which the view says why; more would fill a terminal."""
KEPT_VALUES = 10
"""Values of a run that are drawn as a curve of so many columns."""


@dataclass
class RunningTrial:
    """A trial that a worker has now."""

    number: int
    params: Params
    seed_index: int = 0
    added_seeds: int = 0
    """Seeds that the trial has beyond those of its sweep."""
    epoch: int = 0
    value: float | None = None
    """The metric after the last epoch that had it."""
    values: list[float] = field(default_factory=list)
    """The metric of the run's epochs, the last ones."""
    heard_at: float = field(default_factory=time.time)
    """When it started or last reported an epoch."""

    @property
    def started(self) -> bool:
        """True once its worker has reported an epoch."""
        return self.epoch > 0

    def hear(self, ended: EpochEnded) -> None:
        """Take in an epoch that its worker reports."""
        if ended.seed_index != self.seed_index:
            self.values.clear()  # the curve is of one run
        self.seed_index, self.epoch = ended.seed_index, ended.epoch
        if ended.value is not None:
            self.value = ended.value
            self.values = [*self.values, ended.value][-KEPT_VALUES:]
        self.heard_at = time.time()


@dataclass(frozen=True)
class Best:
    """The trial with the best objective so far."""

    trial: int
    objective: float
    standard_error: float | None
    params: Params
    metric: Metric = field(default_factory=Metric)


def badness_of(values: Sequence[float], objectives: Sequence[Metric]) -> list[float]:
    """Return how bad values are, the smaller, the better."""
    return [one.badness(value) for one, value in zip(objectives, values, strict=True)]


def front_of(points: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Return the configurations that no other one beats in all objectives, from how bad each is."""
    names = list(points)
    kept = undominated([points[name] for name in names])
    return {names[place]: points[names[place]] for place in kept}


@dataclass
class SweepView:
    """A sweep at one moment."""

    name: str
    total: int
    seeds: int
    epochs: int
    """Of a run; 0: not known."""
    subject: str = ""
    """The search in a few words: activations, benchmark, algorithm, seeds and epochs."""
    metric: Metric = field(default_factory=Metric)
    started_at: float = field(default_factory=time.time)
    stopped_at: float | None = None
    """When the last trial ended; None while a driver runs the sweep."""
    stopping: str = ""
    """The signal that asked the sweep to stop, while its workers finish their epochs."""
    company: str = ""
    """The other sweeps of the machines, and what each holds; empty where there are none."""
    counts: dict[Status, int] = field(default_factory=dict)
    running: dict[int, RunningTrial] = field(default_factory=dict)
    best: Best | None = None
    also: tuple[Metric, ...] = ()
    """The objectives beside the metric."""
    front: dict[str, list[float]] = field(default_factory=dict)
    """How bad each configuration is that no other one beats in all objectives, by its id."""
    notes: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    """The last trials that diverged, failed or are about to, and why."""
    shares_interrupted: float = 0.0
    """The parts of the trials that were interrupted that are behind them: a resumed sweep goes on
    from there."""
    done_before: int = 0
    """Trials that ended under an earlier driver."""
    epochs_heard: int = 0
    """Epochs reported to this driver."""
    last_epoch_at: float | None = None
    first_epoch: tuple[float, float, int] | None = None
    """When the first epoch was reported, the share done then, and the trials running then."""

    @property
    def done(self) -> int:
        """Count the trials that ran to an end of their own; an interrupted one will go on."""
        return sum(n for status, n in self.counts.items() if status is not Status.INTERRUPTED)

    @property
    def complete(self) -> bool:
        """True once every trial ran to an end of its own."""
        return self.done >= self.total

    def update(self, trial: OpenTrial) -> None:
        """Take in a trial's start, epoch or end."""
        if trial.outcome is None:
            self._hear(trial)
            return
        outcome, status = trial.outcome, trial.status
        left = self.running.pop(trial.number, None)
        if left is not None and status is Status.INTERRUPTED:
            self.shares_interrupted += self._share_behind(left)
        self.counts[status] = self.counts.get(status, 0) + 1
        if status.trouble:
            reason = outcome.error or "no reason given"
            self.note_trouble(f"trial {trial.number} {status}: {reason}")
        objective, badness = outcome.objective, self.metric.badness
        if objective is None:
            return
        self._note_on_front(trial.config_id, outcome.values(self.also))
        if self.best is None or badness(objective) < badness(self.best.objective):
            error = outcome.objective_standard_error
            self.best = Best(trial.number, objective, error, trial.params, self.metric)

    def _note_on_front(self, config_id: str, values: list[float] | None) -> None:
        if self.also and values is not None:
            point = badness_of(values, (self.metric, *self.also))
            self.front = front_of({**self.front, config_id: point})

    def note_trouble(self, text: str) -> None:
        """Keep what happened to a trial or a worker, among the last few."""
        self.troubles = [*self.troubles[1 - KEPT_TROUBLES :], text]

    def _hear(self, trial: OpenTrial) -> None:
        begun = RunningTrial(trial.number, trial.params, added_seeds=len(trial.added_seeds))
        shown = self.running.setdefault(trial.number, begun)
        if trial.last_epoch is None:
            return
        shown.hear(trial.last_epoch)
        if warning := trial.last_epoch.warning:
            epoch = trial.last_epoch.epoch
            self.note_trouble(f"trial {trial.number} unstable in epoch {epoch}: {warning}")
        self.epochs_heard += 1
        self.last_epoch_at = time.time()
        if self.first_epoch is None:
            self.first_epoch = (time.time(), self.fraction(), len(self.running))

    def fraction(self) -> float:
        """Return the share of the sweep's epochs that are behind it."""
        shares = sum(self._share_behind(one) for one in self.running.values())
        trials = self.done + shares + self.shares_interrupted
        return min(1.0, trials / max(1, self.total))

    def seeds_of(self, one: RunningTrial) -> int:
        """Return the number of a trial's seeds."""
        return self.seeds + one.added_seeds

    def _share_behind(self, one: RunningTrial) -> float:
        of_run = one.epoch / self.epochs if self.epochs else 0.0
        return (one.seed_index + of_run) / self.seeds_of(one)

    def of_epochs(self, epoch: int) -> str:
        """Write an epoch of a run, as `3/10`, or `3` where the number of epochs is not known."""
        return f"{epoch}/{self.epochs}" if self.epochs else f"{epoch}"

    def seconds_at_work(self, now: float) -> float | None:
        """Return the time since the first epoch was reported, without the start of Ray and workers.

        None until every worker has reported one since: the pace of one is not the sweep's.
        """
        if self.first_epoch is None or self.stopped_at is not None:
            return None
        since, _, slots = self.first_epoch
        return now - since if self.epochs_heard > slots and now > since else None

    def seconds_left(self, now: float) -> float | None:
        """Estimate the time left from the pace so far; None before there is one."""
        seconds = self.seconds_at_work(now)
        if seconds is None or self.first_epoch is None:
            return None
        # Progress since then alone: earlier drivers' and other runs' shares took no time here.
        gained = self.fraction() - self.first_epoch[1]
        return seconds * (1 - self.fraction()) / gained if gained > 0 else None

    def to_json(self) -> str:
        """Write the view, for `from_json` in another process."""
        raw = dataclasses.asdict(self)
        for one in raw["running"].values():
            # The seed's index is called `run` in the file, as earlier versions read and write it.
            one["run"] = one.pop("seed_index")
        return json.dumps(raw)

    @classmethod
    def from_json(cls, text: str) -> SweepView:
        """Read a view that a driver wrote."""
        raw = json.loads(text)
        running = [
            RunningTrial(seed_index=one.pop("run"), **one) for one in raw["running"].values()
        ]
        raw["running"] = {one.number: one for one in running}
        raw["counts"] = {Status(status): n for status, n in raw["counts"].items()}
        raw["metric"] = metric = Metric(**raw["metric"])
        raw["also"] = tuple(Metric(**one) for one in raw.get("also", ()))
        if raw["best"] is not None:
            raw["best"] = Best(**{**raw["best"], "metric": metric})
        raw["first_epoch"] = None if raw["first_epoch"] is None else tuple(raw["first_epoch"])
        return cls(**raw)
