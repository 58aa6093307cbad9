from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sweeps import dispatch
from sweeps.dispatch import Dispatcher, search
from sweeps.early_stopping import Judge
from sweeps.mailbox import Letter
from sweeps.searcher import StudySearcher
from sweeps.spec_file import parse_spec
from sweeps.store import SweepPaths
from sweeps.study import OpenTrial, Work, create_study

DONE = {"status": "completed", "objective": 1.0}


@pytest.fixture
def searcher(tmp_path: Path) -> StudySearcher:
    space = {"learning_rate": {"log": [1e-4, 1e-2]}}
    raw = {"name": "x", "space": space, "search": {"algorithm": "random", "trials": 3}}
    spec, paths = parse_spec(raw), SweepPaths(tmp_path, "x")
    paths.create()
    judge = Judge(spec.early_stopping, 5, spec.recipe.epochs)
    return StudySearcher(spec, create_study(spec, paths), judge, lambda *_: None, Work(3))


class Workers:
    """Workers in one thread: each trains its trial in one turn, some die of it."""

    def __init__(self, names: Iterable[str], deaths: Mapping[str, int] = {}) -> None:
        self._letters = [Letter(index, name, "join") for index, name in enumerate(names)]
        self._owner = {letter.number: letter.worker for letter in self._letters}
        self._deaths = dict(deaths)
        self._lost: list[tuple[str, str]] = []
        self.trained: list[tuple[str, int]] = []
        self.released: list[str] = []
        self.stopped = False

    def exchange(self, answers: Mapping[int, Any], seconds: float) -> list[Letter]:
        for number, order in answers.items():
            worker = self._owner[number]
            if order is None:
                self.released.append(worker)
            elif self._deaths.get(worker, 0) > 0:
                self._deaths[worker] -= 1
                self._lost.append((worker, "killed"))
                self._put(worker, "join", {})
            else:
                self.trained.append((worker, order["number"]))
                status = {"status": "interrupted"} if self.stopped else DONE
                self._put(worker, "end", status)
        letters, self._letters = self._letters, []
        return letters

    def _put(self, worker: str, kind: Any, content: dict[str, Any]) -> None:
        letter = Letter(len(self._owner), worker, kind, content)
        self._owner[letter.number] = worker
        self._letters.append(letter)

    def lost(self) -> list[tuple[str, str]]:
        lost, self._lost = self._lost, []
        return lost

    def stop(self) -> None:
        self.stopped = True


def test_every_trial_is_trained_once_and_every_worker_let_go(searcher: StudySearcher) -> None:
    workers = Workers(["a", "b"])
    recorded: list[int] = []
    reason = search(searcher, workers, lambda: recorded.append(len(workers.trained)), lambda: "")
    assert reason == ""
    assert sorted(number for _, number in workers.trained) == [0, 1, 2]
    assert sorted(workers.released) == ["a", "b"]


def test_a_trial_is_on_record_before_its_worker_hears_of_it(searcher: StudySearcher) -> None:
    events: list[str] = []

    class Watched(Workers):
        def exchange(self, answers: Mapping[int, Any], seconds: float) -> list[Letter]:
            events.extend("handed out" for order in answers.values() if order is not None)
            return super().exchange(answers, seconds)

    search(searcher, Watched(["a"]), lambda: events.append("recorded"), lambda: "")
    assert [events[index - 1] for index, event in enumerate(events) if event == "handed out"] == (
        ["recorded"] * 3
    )


def test_a_lost_worker_s_trial_is_trained_by_another(searcher: StudySearcher) -> None:
    workers = Workers(["a", "b"], deaths={"a": 1})
    search(searcher, workers, lambda: None, lambda: "")
    assert sorted(number for _, number in workers.trained) == [0, 1, 2]


def test_an_idle_worker_waits_while_others_train(searcher: StudySearcher) -> None:
    dispatcher = Dispatcher(searcher)
    joins = [Letter(index, f"w{index}", "join") for index in range(4)]
    orders = dispatcher.answers(joins)
    assert sorted(orders) == [0, 1, 2]  # the fourth may be needed yet
    dispatcher.lose("w1", "killed")
    assert dispatcher.answers([])[3]["number"] == 1
    ends = [Letter(10 + index, f"w{index}", "end", DONE) for index in (0, 2)]
    assert dispatcher.answers(ends) == {}
    assert dispatcher.answers([Letter(20, "w3", "end", DONE)]) == {10: None, 12: None, 20: None}


def test_a_sweep_that_is_to_stop_hands_out_nothing_more(searcher: StudySearcher) -> None:
    workers = Workers(["a"])
    reason = search(
        searcher, workers, lambda: None, lambda: "enough" if len(workers.trained) else ""
    )
    assert reason == "enough"
    assert workers.stopped
    assert [number for _, number in workers.trained] == [0]


def test_a_worker_that_never_answers_is_not_waited_for_for_ever(
    searcher: StudySearcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "GRACE_SECONDS", 0.05)
    statuses: list[tuple[int, str]] = []

    def note(trial: OpenTrial, status: str) -> None:
        statuses.append((trial.number, status))

    searcher._on_change = note

    class Silent(Workers):
        def exchange(self, answers: Mapping[int, Any], seconds: float) -> list[Letter]:
            letters, self._letters = self._letters, []
            return letters

    asked = iter(["", ""])
    search(searcher, Silent(["a"]), lambda: None, lambda: next(asked, "enough"))
    assert statuses == [(0, "running"), (0, "interrupted")]
