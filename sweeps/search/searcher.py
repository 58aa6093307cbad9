"""The searcher: it hands the study's trials to workers, and tells the study how each ended."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from analysis.store.statuses import Status
from sweeps.search.early_stopping import Judge
from sweeps.search.open_trials import EpochEnded, OpenTrial, TrialOutcome
from sweeps.search.sampling import draw_parameters
from sweeps.search.study import SweepStudy, Work
from sweeps.spec.search_space import Params, identity
from sweeps.spec.sections import SweepSpec

OnChange = Callable[[OpenTrial], None]
"""Is called with a trial at its start, at each epoch and at its end."""

WORKER_RESTARTS = 2
"""The number of times that a trial whose worker was lost is given to another, which resumes it."""


@dataclass
class _Held:
    """A trial, and how often its worker was lost."""

    trial: OpenTrial
    losses: int = 0
    started: bool = False
    laid_out: bool = False
    """True while a worker may take it without asking."""
    alone: bool = False
    """True once it ran out of memory: then it runs while no other does."""


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
        self._added = work.added
        own = (trial.user_attrs.get("config_id") for trial in study.trials)
        self._configs = {*work.known, *own}
        self._held: dict[str, _Held] = {}
        self._ahead: deque[_Held] = deque()
        self._returned: deque[_Held] = deque()
        self._twins: deque[_Held] = deque()
        self._alone: deque[_Held] = deque()

    @property
    def done(self) -> bool:
        """True once every trial has ended."""
        waiting = self._returned or self._twins or self._again or self._ahead or self._alone
        return not (self._held or waiting or self._to_ask)

    @property
    def left(self) -> int:
        """Count the trials that have not ended."""
        waiting = (*self._returned, *self._twins, *self._ahead, *self._alone)
        return len(self._held) + len(waiting) + len(self._again) + self._to_ask

    @property
    def busy(self) -> int:
        """Count the trials that workers hold."""
        return len(self._held)

    @property
    def unrecorded(self) -> bool:
        """True while a worker holds a trial that the study's database does not have yet."""
        return any(self._study.unsaved(held.trial.number) for held in self._held.values())

    def holds(self, worker: str) -> bool:
        """Return True if a worker holds a trial."""
        return worker in self._held

    def number(self, worker: str) -> int:
        """Return the number of the trial that a worker holds."""
        return self._held[worker].trial.number

    def draw_ahead(self) -> None:
        """Draw trials while workers train: one for each, or one alone if the search learns.

        That one knows every result but that of the trial whose worker it goes to.
        """
        learns = self._spec.search.method.learns
        wanted = min(1, len(self._held)) if learns else len(self._held)
        while self._to_ask > 0 and len(self._ahead) < wanted:
            self._ahead.append(_Held(self._ask()))

    def next(self, worker: str) -> OpenTrial | None:
        """Give a worker a trial; None where there is none now, or no more of them (see `done`).

        A trial that is laid out is given to nobody else.
        """
        held = self._take()
        return None if held is None else self._given(worker, held)

    def lay_out(self) -> list[OpenTrial]:
        """Return trials that any worker may take when its own ends; none where others come first.

        They are drawn, and in the study's database.
        """
        if self._returned or self._twins or self._again or self._alone:
            return []
        if any(held.alone for held in self._held.values()):
            return []
        taken = {one.trial.config_id for one in self._held.values()}
        found = []
        for one in self._ahead:
            # Two workers at one configuration would write over each other.
            twin = one.trial.config_id in taken
            taken.add(one.trial.config_id)
            if not (one.laid_out or twin or self._study.unsaved(one.trial.number)):
                one.laid_out = True
                found.append(one.trial)
        return found

    @property
    def laid_out(self) -> bool:
        """True while there are trials that a worker may take without asking."""
        return any(one.laid_out for one in self._ahead)

    def take(self, worker: str, number: int) -> None:
        """Note that a worker, which holds no trial, has taken one that was laid out."""
        held = next(one for one in self._ahead if one.trial.number == number)
        self._ahead.remove(held)
        self._given(worker, held)

    def take_back(self, numbers: Iterable[int], touched: bool = False) -> None:
        """Take back trials that were laid out.

        Args:
            numbers: of the trials.
            touched: True where a worker that is gone may have begun one.
        """
        for one in self._ahead:
            if one.trial.number in numbers:
                one.laid_out = False
                one.trial.fresh = one.trial.fresh and not touched

    def _given(self, worker: str, held: _Held) -> OpenTrial:
        self._held[worker] = held
        held.laid_out = False
        held.trial.given_at = time.time()
        if not held.started:
            held.started = True
            self._on_change(held.trial)
        return held.trial

    def _take(self) -> _Held | None:
        if self._alone:
            return None if self._held else self._alone.popleft()
        if any(held.alone for held in self._held.values()):
            return None
        if self._returned:
            return self._returned.popleft()
        busy = {held.trial.config_id for held in self._held.values()}
        busy |= {one.trial.config_id for one in self._ahead if one.laid_out}
        for twin in self._twins:
            if twin.trial.config_id not in busy:
                self._twins.remove(twin)
                return twin
        while (held := self._draw()) is not None:
            if held.trial.config_id not in busy:
                return held
            # Another worker trains the same configuration: two workers at one run would write over
            # each other. This trial waits until that one has ended, and then takes its results.
            self._twins.append(held)
        return None

    def _draw(self) -> _Held | None:
        if self._again:
            return _Held(self._recall(*self._again.popleft()))
        for one in self._ahead:
            if not one.laid_out:
                self._ahead.remove(one)
                return one
        return _Held(self._ask()) if self._to_ask > 0 else None

    def _recall(self, number: int, params: Params) -> OpenTrial:
        config_id = identity(self._spec, params)
        added = self._added.get(config_id, ())
        return OpenTrial(number, params, config_id, time.time(), None, added_seeds=added)

    def _ask(self) -> OpenTrial:
        started = time.perf_counter()
        drawn_before = self._study.waiting()
        trial = self._study.ask()
        self._to_ask -= 1
        # Replay epochs that are in the store but not in the study: the last driver died between
        # the two writes.
        for step, value in self._judge.values(trial.number).items():
            self._study.report(trial, value, step)
        params = draw_parameters(self._spec, trial)
        config_id = identity(self._spec, params)
        trial.set_user_attr("config_id", config_id)
        fresh = not drawn_before and config_id not in self._configs
        self._configs.add(config_id)
        seconds = time.perf_counter() - started
        added = self._added.get(config_id, ())
        now = time.time()
        return OpenTrial(trial.number, params, config_id, now, trial, seconds, added, fresh)

    def epoch(self, worker: str, ended: EpochEnded) -> str:
        """Note an epoch of a worker's trial; return why the trial ends with it, or nothing."""
        trial = self._held[worker].trial
        trial.last_epoch = ended
        seed_index, epoch = ended.seed_index, ended.epoch
        self._on_change(trial)
        if ended.value is None:
            return ""
        value = self._judge.value(trial.number, seed_index, epoch, ended.value)
        if trial.study_trial is None:
            return ""  # the study has its end: it only trains seeds that were added since
        self._study.report(trial.study_trial, value, self._judge.step(seed_index, epoch))
        return self._judge.verdict(trial.number, seed_index, epoch)

    def end(self, worker: str, outcome: TrialOutcome) -> str:
        """Tell the study how a worker's trial ended: complete, pruned or failed, as it was.

        Returns:
            Why it has not ended and is tried again; empty where it has.
        """
        if self._spec.search.method.learns:
            # However close two ends follow each other, the same results are known at each draw:
            # their order alone decides what is drawn.
            self.draw_ahead()
        held = self._held.pop(worker)
        if outcome.out_of_memory and not held.alone:
            held.alone, held.trial.fresh = True, False
            self._alone.append(held)
            return f"trial {held.trial.number} ran out of memory; it is tried again, alone"
        self._close(held.trial, outcome)
        return ""

    def lose(self, worker: str, reason: str) -> str:
        """Take back the trial of a worker that is gone; too often, and the trial is an error.

        Returns:
            What became of the trial, in words; empty where the worker had none.
        """
        held = self._held.pop(worker, None)
        if held is None:
            return ""
        held.losses += 1
        held.trial.fresh = False
        if held.losses <= WORKER_RESTARTS:
            (self._alone if held.alone else self._returned).append(held)
            return f"trial {held.trial.number} lost its worker and goes on elsewhere: {reason}"
        error = f"its worker was lost {held.losses} times: {reason}"
        self._close(held.trial, TrialOutcome(Status.ERROR, error=error))
        return f"trial {held.trial.number} is an error: {error}"

    def close_open(self) -> None:
        """End the trials that have no end yet as interrupted."""
        interrupted = TrialOutcome(Status.INTERRUPTED)
        for held in (*self._held.values(), *self._returned, *self._twins, *self._alone):
            self._close(held.trial, interrupted)
        # No worker began a trial that was drawn ahead, so it gets no row: it waits in the study.
        for held in self._ahead:
            if held.trial.study_trial is not None:
                self._study.tell(held.trial.study_trial, interrupted.status, None)
        self._ahead.clear()
        self._held.clear()
        self._returned.clear()
        self._twins.clear()
        self._alone.clear()

    def _close(self, trial: OpenTrial, outcome: TrialOutcome) -> None:
        started = time.perf_counter()
        trial.outcome = outcome
        self._judge.end(trial.number, outcome.status is Status.COMPLETED)
        if trial.study_trial is not None:
            error = outcome.objective_standard_error
            if error is not None:
                trial.study_trial.set_user_attr("objective_standard_error", error)
            if outcome.status is Status.ERROR and outcome.error:
                # The study is written first: a crash may leave it alone with the reason.
                trial.study_trial.set_user_attr("error", outcome.error)
            values = outcome.values(self._spec.also)
            self._study.tell(trial.study_trial, outcome.status, values)
        trial.search_seconds += time.perf_counter() - started
        self._on_change(trial)
