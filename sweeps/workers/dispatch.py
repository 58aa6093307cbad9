"""The driver's own work: workers' letters in, the searcher's trials out, all on record between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from sweeps.search.searcher import StudySearcher
from sweeps.search.study import OpenTrial
from sweeps.workers.mailbox import Letter

TURN_SECONDS = 0.5
"""How long the driver waits for letters before it looks after everything else."""
GRACE_SECONDS = 30.0
"""How long a sweep that stops waits for its workers to end the epoch at hand."""


class Pool(Protocol):
    """Workers, wherever they are; see `sweeps.workers.pool.WorkerPool`."""

    def letters(self, seconds: float) -> list[Letter]:
        """Wait for letters, at most so long."""

    def answer(self, answers: Mapping[int, Any]) -> None:
        """Answer letters, by their numbers."""

    def lost(self) -> Iterable[tuple[str, str]]:
        """Name the workers that were lost, and why."""

    def stop(self) -> None:
        """Have the workers end their trials after the epoch at hand."""


class Dispatcher:
    """Answers letters; a worker for which there is no trial now waits for one that comes back."""

    def __init__(self, searcher: StudySearcher) -> None:
        self._searcher = searcher
        self._idle: dict[str, int] = {}
        self._stopping = False

    def stop(self) -> None:
        """Hand out no trial any more."""
        self._stopping = True

    def lose(self, worker: str, reason: str) -> None:
        """Take back what a lost worker held."""
        self._idle.pop(worker, None)
        self._searcher.lose(worker, reason)

    def draw_ahead(self) -> None:
        """Draw trials before workers ask for them, where the search allows it."""
        if not self._stopping:
            self._searcher.draw_ahead()

    def answers(self, letters: Iterable[Letter]) -> dict[int, Any]:
        """Return the answers that are due, by the number of the letter each belongs to."""
        answers: dict[int, Any] = {}
        begun = time.perf_counter()
        for letter in letters:
            if letter.kind != "join" and not self._searcher.holds(letter.worker):
                continue  # it was lost since it wrote
            if letter.kind == "epoch":
                verdict = self._judge(letter)
                if letter.waits:
                    answers[letter.number] = verdict
                continue
            if letter.kind == "end":
                self._searcher.end(letter.worker, dict(letter.content))
            else:
                # A worker that introduces itself while it holds a trial was started again.
                self._searcher.lose(letter.worker, "its process ended")
            self._idle[letter.worker] = letter.number
        for worker, number in list(self._idle.items()):
            trial = None if self._stopping else self._searcher.next(worker)
            if trial is not None or self._stopping or self._searcher.done:
                answers[number] = None if trial is None else _order(trial, begun)
                del self._idle[worker]
        return answers

    def _judge(self, letter: Letter) -> dict[str, Any]:
        content = letter.content
        verdict = self._searcher.epoch(
            letter.worker, content["run"], content["epoch"], content["val_error_percent"]
        )
        return {"verdict": verdict, "stop": self._stopping}


def _order(trial: OpenTrial, begun: float) -> dict[str, Any]:
    order = {name: getattr(trial, name) for name in ("number", "params", "fresh")}
    return {**order, "search_seconds": time.perf_counter() - begun}


def search(
    searcher: StudySearcher,
    pool: Pool,
    record: Callable[[], None],
    stop_reason: Callable[[], str],
) -> str:
    """Have workers train the searcher's trials until all have ended or there is reason to stop.

    Args:
        searcher: what is to be trained.
        pool: who trains it.
        record: puts on record what the searcher did; called before anybody acts on it.
        stop_reason: says why the sweep is to stop, or nothing; asked again and again.

    Returns:
        Why the sweep stopped; empty where every trial ended.
    """
    dispatcher = Dispatcher(searcher)
    answers: dict[int, Any] = {}
    reason, deadline = "", float("inf")
    try:
        while not searcher.done and time.monotonic() < deadline:
            letters = pool.letters(TURN_SECONDS)
            for worker, why in pool.lost():
                dispatcher.lose(worker, why)
            if not reason and (reason := stop_reason()):
                dispatcher.stop()
                pool.stop()
                deadline = time.monotonic() + GRACE_SECONDS
            answers = dispatcher.answers(letters)
            if reason and not searcher.busy:
                break
            if searcher.unrecorded:
                record()
            # The end of a trial can wait for its place in the study: its worker wrote it down.
            pool.answer(answers)
            answers = {}
            dispatcher.draw_ahead()
            # An epoch is on record already, by its worker: it can wait for the next trial's turn.
            if not all(letter.kind == "epoch" for letter in letters):
                record()
    finally:
        searcher.close_open("interrupted")
        record()
    pool.answer(answers)
    return reason
