"""Hands the study's trials to workers that ask, and tells the study the truth about each end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sweeps.search.early_stopping import Judge
from sweeps.search.sampling import draw_parameters
from sweeps.search.study import OpenTrial, SweepStudy, Work
from sweeps.spec.search_space import Params, configure
from sweeps.spec.sections import SweepSpec

OnChange = Callable[[OpenTrial, str], None]
"""Hears of each trial's start, epochs and end, with its status."""

WORKER_RESTARTS = 2
"""How often a trial whose worker was lost starts again, from its runs' checkpoints."""


@dataclass
class _Held:
    """A trial and how often a worker was lost with it."""

    trial: OpenTrial
    losses: int = 0
    started: bool = field(default=False)


class StudySearcher:
    """The one owner of a study while it is searched; each worker holds at most one trial."""

    def __init__(
        self, spec: SweepSpec, study: SweepStudy, judge: Judge, on_change: OnChange, work: Work
    ) -> None:
        self._spec = spec
        self._study = study
        self._judge = judge
        self._on_change = on_change
        self._again = deque(work.again)
        self._to_ask = work.to_ask
        self._configs = {trial.user_attrs.get("config_id") for trial in study.trials}
        self._held: dict[str, _Held] = {}
        self._ahead: deque[_Held] = deque()
        self._returned: deque[_Held] = deque()
        self._twins: deque[_Held] = deque()

    @property
    def done(self) -> bool:
        """Whether every trial has its end."""
        waiting = self._returned or self._twins or self._again or self._ahead
        return not (self._held or waiting or self._to_ask)

    @property
    def busy(self) -> int:
        """How many trials workers hold."""
        return len(self._held)

    @property
    def unrecorded(self) -> bool:
        """Whether a worker was given a trial that the study does not have on record."""
        return any(self._study.unsaved(held.trial.number) for held in self._held.values())

    def holds(self, worker: str) -> bool:
        """Whether a worker has a trial."""
        return worker in self._held

    def draw_ahead(self) -> None:
        """Draw a trial for each worker that has one, if results say nothing about the next."""
        if not self._spec.search.method.learns:
            while self._to_ask > 0 and len(self._ahead) < len(self._held):
                self._ahead.append(_Held(self._ask()))

    def next(self, worker: str) -> OpenTrial | None:
        """Give a worker a trial; None: there is none, now or any more (see `done`)."""
        held = self._take()
        if held is None:
            return None
        self._held[worker] = held
        held.trial.given_at = time.time()
        if not held.started:
            held.started = True
            self._on_change(held.trial, "running")
        return held.trial

    def _take(self) -> _Held | None:
        if self._returned:
            return self._returned.popleft()
        busy = {held.trial.config_id for held in self._held.values()}
        for twin in self._twins:
            if twin.trial.config_id not in busy:
                self._twins.remove(twin)
                return twin
        while (held := self._draw()) is not None:
            if held.trial.config_id not in busy:
                return held
            # Its runs are under way: two workers at one run would write over each other. It
            # waits until they are done, and takes their results.
            self._twins.append(held)
        return None

    def _draw(self) -> _Held | None:
        if self._again:
            return _Held(self._recall(*self._again.popleft()))
        if self._ahead:
            return self._ahead.popleft()
        return _Held(self._ask()) if self._to_ask > 0 else None

    def _recall(self, number: int, params: Params) -> OpenTrial:
        config_id = configure(self._spec, params).config_id
        return OpenTrial(number, params, config_id, time.time(), None)

    def _ask(self) -> OpenTrial:
        started = time.perf_counter()
        drawn_before = self._study.waiting()
        trial = self._study.ask()
        self._to_ask -= 1
        for step, value in self._judge.values(trial.number).items():
            # Epochs that the store has, and a driver that died did not live to tell of.
            self._study.report(trial, value, step)
        params = draw_parameters(self._spec, trial)
        config_id = configure(self._spec, params).config_id
        trial.set_user_attr("config_id", config_id)
        fresh = not drawn_before and config_id not in self._configs
        self._configs.add(config_id)
        seconds = time.perf_counter() - started
        return OpenTrial(trial.number, params, config_id, time.time(), trial, seconds, fresh)

    def epoch(self, worker: str, seed: int, epoch: int, error: float) -> str:
        """Take note of an epoch; say why the trial ends with it, or nothing."""
        trial = self._held[worker].trial
        trial.result = {"run": seed, "epoch": epoch, "val_error_percent": error}
        value = self._judge.value(trial.number, seed, epoch, error)
        self._on_change(trial, "running")
        if trial.study_trial is None:
            return ""  # its end is known, and more seeds do not change that
        self._study.report(trial.study_trial, value, self._judge.step(seed, epoch))
        return self._judge.verdict(trial.number, seed, epoch)

    def end(self, worker: str, outcome: dict[str, Any]) -> None:
        """Tell the study how a trial ended: complete, pruned or failed, as it was."""
        held = self._held.pop(worker)
        held.trial.result = outcome
        self._close(held.trial, outcome["status"])

    def lose(self, worker: str, reason: str) -> None:
        """Take back the trial of a worker that is gone; too often, and the trial is an error."""
        held = self._held.pop(worker, None)
        if held is None:
            return
        held.losses += 1
        held.trial.fresh = False
        if held.losses <= WORKER_RESTARTS:
            self._returned.append(held)
            return
        held.trial.result = {
            "status": "error",
            "error": f"its worker was lost {held.losses} times: {reason}",
        }
        self._close(held.trial, "error")

    def close_open(self, status: str) -> None:
        """End the trials that nobody ended, as after an interrupt."""
        for held in (*self._held.values(), *self._returned, *self._twins):
            self._close(held.trial, status)
        for held in self._ahead:  # nobody began it, so it has no row: it waits in the study
            if held.trial.study_trial is not None:
                self._study.tell(held.trial.study_trial, status, None)
        self._ahead.clear()
        self._held.clear()
        self._returned.clear()
        self._twins.clear()

    def _close(self, trial: OpenTrial, status: str) -> None:
        started = time.perf_counter()
        self._judge.end(trial.number, status == "completed")
        if trial.study_trial is not None:
            error = trial.result.get("objective_standard_error")
            if error is not None:
                trial.study_trial.set_user_attr("objective_standard_error", error)
            self._study.tell(trial.study_trial, status, self._values(trial.result))
        trial.search_seconds += time.perf_counter() - started
        self._on_change(trial, status)

    def _values(self, result: dict[str, Any]) -> list[float] | None:
        values = [result.get(name) for name in self._spec.search.method.objectives]
        return None if None in values else [float(value) for value in values if value is not None]
