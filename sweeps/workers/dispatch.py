"""The driver's turn: letters of workers come in, trials of the searcher go out.

Trials that are drawn ahead are laid out in the mailbox, where a worker whose trial ends takes the
first. The driver hears of it by the worker's letter, and gives such a trial to nobody else unless
it got it back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Protocol

from analysis.measures.timing import LOADED
from analysis.store.errors import StoreError
from sweeps.search.open_trials import EpochEnded, OpenTrial, TrialOutcome
from sweeps.search.searcher import StudySearcher
from sweeps.workers.environment import CutOffError
from sweeps.workers.mailbox import Letter
from sweeps.workers.messages import Alive, Answer, EpochAnswer, Joined, Order, TrialEnded
from sweeps.workers.watch import Watch

OnIncident = Callable[[str, str], None]
"""Is called with the kind of an incident, as `loss`, and what happened, in words."""

TURN_SECONDS = 0.5
"""How long the driver waits for letters before it looks at signals, losses and the budget."""
GRACE_SECONDS = 30.0
"""How long a sweep that stops waits for its workers to finish the epoch at hand."""


class Pool(Protocol):
    """Workers, wherever they are; see `sweeps.workers.pool.WorkerPool`."""

    def lay_out(self, orders: Mapping[int, Order]) -> None:
        """Lay out orders, by their trials' numbers, for workers whose trials end."""

    def take_back(self) -> Iterable[int]:
        """Take back the orders that no worker has taken; return their trials' numbers."""

    def letters(self, seconds: float) -> list[Letter]:
        """Wait for letters, at most so long."""

    def answer(self, answers: Mapping[int, Answer]) -> None:
        """Answer letters, by their numbers."""

    def lost(self) -> Iterable[tuple[str, str]]:
        """List the workers that were lost since the last call, each with the reason."""

    def places(self, wanted: int) -> int:
        """Return how many workers the sweep may keep; `wanted`: how many trials are left."""

    def end(self, worker: str) -> None:
        """End the process of a worker that hangs; another takes its place."""

    def stop(self) -> None:
        """Have the workers end their trials after the epoch at hand."""


class Dispatcher:
    """Answers letters; a worker for which there is no trial now waits for one that comes back."""

    def __init__(
        self,
        searcher: StudySearcher,
        watch: Watch,
        incident: OnIncident,
        take_back: Callable[[], Iterable[int]] = tuple,
    ) -> None:
        self._searcher = searcher
        self._watch = watch
        self._incident = incident
        self._take_back = take_back
        self._idle: dict[str, int] = {}
        self._stopping = False

    def stop(self) -> None:
        """Hand out no trial any more."""
        self._stopping = True

    def lose(self, worker: str, reason: str) -> None:
        """Take back the trial of a lost worker."""
        self._idle.pop(worker, None)
        self._watch.forget(worker)
        if happened := self._searcher.lose(worker, reason):
            self._incident("loss", happened)

    def draw_ahead(self) -> None:
        """Draw trials before workers ask for them, where the search allows it."""
        if not self._stopping:
            self._searcher.draw_ahead()

    def laid_out(self, places: int) -> dict[int, Order]:
        """Return the orders to lay out for workers whose trials end, by their trials' numbers.

        Args:
            places: how many workers the sweep may keep.
        """
        if self._stopping or self._idle or self._searcher.busy > places:
            self._withdraw()
            return {}
        return {one.number: _order(one, 0.0) for one in self._searcher.lay_out()}

    def _withdraw(self) -> None:
        if self._searcher.laid_out:
            self._searcher.take_back(set(self._take_back()))

    def answers(self, letters: Iterable[Letter], places: int | None = None) -> dict[int, Answer]:
        """Return the answers that are due, by the number of the letter each belongs to.

        Args:
            letters: that came in.
            places: how many workers the sweep may keep; None: all.
        """
        answers: dict[int, Answer] = {}
        begun = time.perf_counter()
        for letter in letters:
            answers |= self._heard(letter)
            # At once: of two ends the second one must not change what the first one's worker gets.
            answers |= self._handed_out(begun, places)
        return answers | self._handed_out(begun, places)

    def _heard(self, letter: Letter) -> dict[int, Answer]:
        """Take in a letter, and return its answer unless its worker waits for a trial."""
        message, worker = letter.message, letter.worker
        self._watch.hear(worker, message)
        if isinstance(message, Alive):
            return {}
        if not isinstance(message, Joined) and not self._searcher.holds(worker):
            # Its worker was counted as lost after it wrote.
            if letter.taken is not None:
                self._searcher.take_back({letter.taken}, touched=True)
            return {}
        match message:
            case EpochEnded():
                reason = self._searcher.epoch(worker, message)
                return {letter.number: EpochAnswer(reason, self._stopping)} if letter.waits else {}
            case TrialEnded(outcome, leaves):
                self._note_load(worker, outcome)
                if happened := self._searcher.end(worker, outcome):
                    self._incident("retry", happened)
                if leaves:
                    self._watch.forget(worker)
                    return {letter.number: None}
                if letter.taken is not None:
                    self._searcher.take(worker, letter.taken)
                    self._watch.give(worker)
                    return {}
            case Joined(problem):
                if problem:
                    raise CutOffError(problem)
                # A worker that joins while it holds a trial was started again.
                if happened := self._searcher.lose(worker, "its process ended"):
                    self._incident("loss", happened)
        self._idle[worker] = letter.number
        return {}

    def _handed_out(self, begun: float, places: int | None) -> dict[int, Answer]:
        """Answer the workers that wait for a trial, as far as there are any for them."""
        answers: dict[int, Answer] = {}
        if self._idle:  # before a trial is drawn for one of them
            self._withdraw()
        for worker, number in list(self._idle.items()):
            workers = self._searcher.busy + len(self._idle)
            leaves = self._stopping or (places is not None and workers > places)
            trial = None if leaves else self._searcher.next(worker)
            if trial is not None or leaves or self._searcher.done:
                seconds = time.perf_counter() - begun
                answers[number] = None if trial is None else _order(trial, seconds)
                del self._idle[worker]
                if trial is None:
                    self._watch.forget(worker)
                else:
                    self._watch.give(worker)
        return answers

    def _note_load(self, worker: str, outcome: TrialOutcome) -> None:
        load = outcome.other_load
        if load is not None and load > LOADED:
            number = self._searcher.number(worker)
            happened = f"trial {number} was timed while other processes kept {load:.2f} cores busy"
            self._incident("loaded", happened)


def _order(trial: OpenTrial, search_seconds: float) -> Order:
    return Order(trial.number, trial.params, trial.fresh, search_seconds, trial.added_seeds)


def train_trials(
    searcher: StudySearcher,
    pool: Pool,
    record: Callable[[], None],
    stop_reason: Callable[[], str],
    watch: Watch,
    incident: OnIncident = lambda kind, happened: None,
    now: Callable[[], float] = time.monotonic,
) -> str:
    """Have workers train the searcher's trials until all have ended or the sweep stops.

    Args:
        searcher: has the trials.
        pool: has the workers.
        record: writes the searcher's trials to the study and the store; it is called before a
            worker hears of a trial that the study does not have.
        stop_reason: returns why the sweep is to stop, empty while it goes on; called every turn.
        watch: knows which workers hang.
        incident: is told of each loss and second attempt.
        now: the clock, in seconds.

    Returns:
        Why the sweep stopped; empty where every trial ended.

    Raises:
        CutOffError: a worker says that its machine cannot train any trial of the sweep.
    """
    dispatcher = Dispatcher(searcher, watch, incident, pool.take_back)
    answers: dict[int, Answer] = {}
    reason, deadline = "", float("inf")
    try:
        while not searcher.done and now() < deadline:
            letters = pool.letters(TURN_SECONDS)
            for worker, why in pool.lost():
                dispatcher.lose(worker, why)
            if not reason and (reason := stop_reason()):
                dispatcher.stop()
                pool.stop()
                deadline = now() + GRACE_SECONDS
            places = pool.places(searcher.left)
            answers = dispatcher.answers(letters, places)
            # After the letters were heard: one that waited here is a sign of life.
            for worker, why in watch.overdue():
                pool.end(worker)
                dispatcher.lose(worker, why)
            if reason and not searcher.busy:
                break
            if searcher.unrecorded:
                record()
            # Answer before `record()`: the end is already durable in the store; the study's row may
            # lag behind.
            pool.answer(answers)
            answers = {}
            dispatcher.draw_ahead()
            # After epochs alone nothing is recorded: their workers wrote them to the store, and
            # a transaction for each would cost as much as a trial's.
            if not all(isinstance(letter.message, EpochEnded | Alive) for letter in letters):
                record()
            if orders := dispatcher.laid_out(places):
                pool.lay_out(orders)
    except BaseException:
        # What ended the sweep may be that nothing can be written.
        with suppress(OSError, StoreError):
            searcher.close_open()
            record()
        raise
    searcher.close_open()
    record()
    pool.places(0)
    pool.answer(answers)
    return reason
