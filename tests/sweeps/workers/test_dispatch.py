import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from analysis.store.statuses import Status
from sweeps.search.early_stopping import Judge
from sweeps.search.open_trials import EpochEnded, OpenTrial, TrialOutcome
from sweeps.search.searcher import OnChange, StudySearcher
from sweeps.search.study import SweepStudy, Work, create_study, reopen_study
from sweeps.spec.reading import parse_spec
from sweeps.spec.sections import LimitsSection, SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.workers import dispatch
from sweeps.workers.dispatch import Dispatcher, train_trials
from sweeps.workers.environment import CutOffError
from sweeps.workers.mailbox import Letter, sealed
from sweeps.workers.messages import Answer, EpochAnswer, Joined, Message, Order, TrialEnded
from sweeps.workers.watch import Watch

DONE = TrialOutcome(Status.COMPLETED, objective=1.0)


@pytest.fixture(params=["random", "tpe"])
def searcher(tmp_path: Path, request: pytest.FixtureRequest) -> StudySearcher:
    """One that draws ahead for each worker, and one that draws a single trial."""
    spec, paths = spec_of(request.param), SweepPaths(tmp_path, "x")
    paths.create()
    return searcher_of(spec, create_study(spec, paths))


def spec_of(algorithm: str, trials: int = 3) -> SweepSpec:
    space = {"learning_rate": {"log": [1e-4, 1e-2]}, "weight_decay": {"log": [1e-6, 1e-3]}}
    search = {"algorithm": algorithm, "trials": trials}
    return parse_spec({"name": "x", "space": space, "search": search})


def letter(
    number: int, worker: str, message: Message, waits: bool = True, taken: int | None = None
) -> Letter:
    return Letter(number, worker, sealed(message), waits, taken)


def searcher_of(
    spec: SweepSpec, study: SweepStudy, on_change: OnChange = lambda _: None, trials: int = 3
) -> StudySearcher:
    return StudySearcher(spec, study, Judge(spec.early_stopping, 5, 100), on_change, Work(trials))


def patient() -> Watch:
    """A watch that never loses patience in a test."""
    return Watch(LimitsSection(), epochs=100)


def dispatcher_of(searcher: StudySearcher) -> Dispatcher:
    return Dispatcher(searcher, patient(), lambda kind, happened: None)


def on_disk(folder: Path) -> list[FrozenTrial]:
    url = f"sqlite:///{folder / 'x' / 'study.db'}"
    return optuna.load_study(study_name="x", storage=url).trials


class Workers:
    """Workers in one thread: each trains its trial in one turn, some die of it."""

    def __init__(self, names: Iterable[str], deaths: Mapping[str, int] = {}) -> None:
        self._letters = [letter(index, name, Joined()) for index, name in enumerate(names)]
        self._owner = {one.number: one.worker for one in self._letters}
        self._deaths = dict(deaths)
        self._lost: list[tuple[str, str]] = []
        self.trained: list[tuple[str, int]] = []
        self.released: list[str] = []
        self.share = 100
        self.wanted: list[int] = []
        self.ended: list[str] = []
        self.stopped = False
        self.orders: dict[int, Order] = {}
        self.taken: list[int] = []
        self._training: list[str] = []

    def answer(self, answers: Mapping[int, Answer]) -> None:
        for number, order in answers.items():
            worker = self._owner[number]
            if order is None:
                self.released.append(worker)
            elif self._deaths.get(worker, 0) > 0:
                self._deaths[worker] -= 1
                self._lost.append((worker, "killed"))
                self._put(worker, Joined())
            else:
                assert isinstance(order, Order)
                self.trained.append((worker, order.number))
                self._training.append(worker)

    def lay_out(self, orders: Mapping[int, Order]) -> None:
        assert not orders.keys() & {number for _, number in self.trained}
        self.orders |= orders

    def take_back(self) -> list[int]:
        numbers = list(self.orders)
        self.orders.clear()
        return numbers

    def letters(self, seconds: float) -> list[Letter]:
        outcome = TrialOutcome(Status.INTERRUPTED) if self.stopped else DONE
        ending, self._training = self._training, []
        for worker in ending:
            number = None if self.stopped else next(iter(self.orders), None)
            self._put(worker, TrialEnded(outcome), number)
            if number is not None:
                del self.orders[number]
                self.taken.append(number)
                self.trained.append((worker, number))
                self._training.append(worker)
        letters, self._letters = self._letters, []
        return letters

    def _put(self, worker: str, message: Message, taken: int | None = None) -> None:
        one = letter(len(self._owner), worker, message, waits=taken is None, taken=taken)
        self._owner[one.number] = worker
        self._letters.append(one)

    def lost(self) -> list[tuple[str, str]]:
        lost, self._lost = self._lost, []
        return lost

    def places(self, wanted: int) -> int:
        self.wanted.append(wanted)
        return self.share

    def end(self, worker: str) -> None:
        self.ended.append(worker)

    def stop(self) -> None:
        self.stopped = True


def test_every_trial_is_trained_once_and_every_worker_let_go(searcher: StudySearcher) -> None:
    workers = Workers(["a", "b"])
    recorded: list[int] = []
    reason = train_trials(
        searcher, workers, lambda: recorded.append(len(workers.trained)), lambda: "", patient()
    )
    assert reason == ""
    assert sorted(number for _, number in workers.trained) == [0, 1, 2]
    assert sorted(workers.released) == ["a", "b"]


def test_a_trial_is_on_record_before_its_worker_hears_of_it(
    searcher: StudySearcher, tmp_path: Path
) -> None:
    numbers: list[int] = []

    class Watched(Workers):
        def answer(self, answers: Mapping[int, Answer]) -> None:
            known = {trial.number: trial for trial in on_disk(tmp_path)}
            for order in answers.values():
                if isinstance(order, Order):
                    numbers.append(order.number)
                    assert known[order.number].state is TrialState.RUNNING
                    assert known[order.number].params == order.params
            super().answer(answers)

        def lay_out(self, orders: Mapping[int, Order]) -> None:
            known = {trial.number: trial for trial in on_disk(tmp_path)}
            for order in orders.values():
                numbers.append(order.number)
                assert known[order.number].params == order.params
            super().lay_out(orders)

    train_trials(searcher, Watched(["a", "b"]), searcher._study.save, lambda: "", patient())
    assert sorted(numbers) == [0, 1, 2]
    assert [trial.state for trial in on_disk(tmp_path)] == [TrialState.COMPLETE] * 3


@pytest.mark.parametrize(("algorithm", "ahead"), [("random", 2), ("tpe", 1)])
def test_a_search_that_learns_draws_one_trial_ahead_and_another_one_for_each_worker(
    algorithm: str, ahead: int, tmp_path: Path
) -> None:
    spec, paths = spec_of(algorithm, trials=9), SweepPaths(tmp_path, "x")
    paths.create()
    study = create_study(spec, paths)
    one = searcher_of(spec, study, trials=9)
    assert one.next("a") is not None
    assert one.next("b") is not None
    one.draw_ahead()
    one.draw_ahead()
    assert len(study.trials) == 2 + ahead
    assert one.unrecorded
    study.save()
    one.epoch("a", EpochEnded(0, 1, 50.0))
    one.end("a", DONE)
    assert one.next("a") is not None
    assert not one.unrecorded  # what it was given was drawn, and recorded, before


@pytest.mark.parametrize("algorithm", ["tpe", "gp", "cmaes", "nsga2"])
def test_the_same_order_of_ends_gives_the_same_trials_however_close_they_come(
    algorithm: str, tmp_path: Path
) -> None:
    """Ends that come alone, in twos and all at once, with and without a turn of the driver."""

    def given(folder: str, at_once: int, turns: bool) -> list[tuple[str, Order]]:
        rng, trials = random.Random(0), 15  # samplers learn from the eleventh on
        spec, paths = spec_of(algorithm, trials), SweepPaths(tmp_path / folder, "x")
        paths.create()
        dispatcher = dispatcher_of(searcher_of(spec, create_study(spec, paths), trials=trials))
        names, found, held = "abcd", [], {}
        letters = [letter(index, name, Joined()) for index, name in enumerate(names)]
        while letters:
            number = letters[-1].number
            for one in (letters[at : at + at_once] for at in range(0, len(letters), at_once)):
                for answered, order in sorted(dispatcher.answers(one).items()):
                    if isinstance(order, Order):
                        held[names[answered % 4]] = order
                        found.append((names[answered % 4], order))
                if turns:
                    dispatcher.draw_ahead()
            ending = rng.sample(sorted(held), len(held))
            letters = [
                letter(number - number % 4 + 4 + names.index(name), name, TrialEnded(ended(order)))
                for name in ending
                for order in [held.pop(name)]
            ]
        found.sort(key=lambda one: one[1].number)
        return [(name, replace(order, search_seconds=0.0)) for name, order in found]

    def ended(order: Order) -> TrialOutcome:
        error = abs(math.log10(float(order.params["learning_rate"])) + 3)
        return TrialOutcome(Status.COMPLETED, objective=error, epoch_seconds=1.0)

    alone = given("alone", 1, turns=True)
    assert len(alone) == 15
    for number, (at_once, turns) in enumerate([(1, False), (2, True), (4, False)]):
        assert given(str(number), at_once, turns) == alone


def test_what_was_drawn_ahead_and_never_begun_comes_first_in_a_resumed_sweep(
    tmp_path: Path,
) -> None:
    spec, paths = spec_of("random"), SweepPaths(tmp_path, "x")
    paths.create()
    study, heard = create_study(spec, paths), []
    one = searcher_of(spec, study, lambda trial: heard.append((trial.number, trial.status)))
    first = one.next("a")
    one.draw_ahead()
    drawn = study.trials[1].params
    one.close_open()
    study.save()
    assert first is not None
    assert heard == [(0, "running"), (0, "interrupted")]
    assert [trial.state for trial in on_disk(tmp_path)] == [TrialState.WAITING] * 2
    again = searcher_of(spec, reopen_study(spec, paths, trials_known=1))
    resumed = [again.next(worker) for worker in "abc"]
    assert [trial.params for trial in resumed if trial][:2] == [first.params, drawn]
    assert [trial.number for trial in resumed if trial] == [0, 1, 2]


def test_only_a_letter_of_a_worker_that_is_there_and_waits_is_answered(
    searcher: StudySearcher,
) -> None:
    dispatcher = dispatcher_of(searcher)
    order = dispatcher.answers([letter(0, "a", Joined())])[0]
    dispatcher.lose("a", "killed")
    late = [letter(1, "a", EpochEnded(0, 1, 50.0)), letter(2, "a", TrialEnded(DONE))]
    assert dispatcher.answers(late) == {}
    again = dispatcher.answers([letter(3, "b", Joined())])[3]
    assert isinstance(order, Order)
    assert isinstance(again, Order)
    assert again.number == order.number
    assert not again.fresh  # the lost worker may have left records
    for number, waits in ((4, False), (5, True)):
        epoch = letter(number, "b", EpochEnded(0, number, 50.0), waits)
        verdicts = {number: EpochAnswer("", stopping=False)} if waits else {}
        assert dispatcher.answers([epoch]) == verdicts


def test_a_lost_worker_s_trial_is_trained_by_another(searcher: StudySearcher) -> None:
    workers = Workers(["a", "b"], deaths={"a": 1})
    train_trials(searcher, workers, lambda: None, lambda: "", patient())
    assert sorted(number for _, number in workers.trained) == [0, 1, 2]


def test_an_idle_worker_waits_while_others_train(searcher: StudySearcher) -> None:
    dispatcher = dispatcher_of(searcher)
    joins = [letter(index, f"w{index}", Joined()) for index in range(4)]
    orders = dispatcher.answers(joins)
    assert sorted(orders) == [0, 1, 2]  # the fourth may be needed yet
    dispatcher.lose("w1", "killed")
    order = dispatcher.answers([])[3]
    assert isinstance(order, Order)
    assert order.number == 1
    ends = [letter(10 + index, f"w{index}", TrialEnded(DONE)) for index in (0, 2)]
    assert dispatcher.answers(ends) == {}
    last = letter(20, "w3", TrialEnded(DONE))
    assert dispatcher.answers([last]) == {10: None, 12: None, 20: None}


def test_a_share_that_shrinks_is_given_back_as_trials_end(searcher: StudySearcher) -> None:
    dispatcher = dispatcher_of(searcher)
    orders = dispatcher.answers([letter(0, "a", Joined()), letter(1, "b", Joined())], places=2)
    assert len([one for one in orders.values() if isinstance(one, Order)]) == 2
    assert dispatcher.answers([], places=1) == {}, "no trial is cut off"
    assert dispatcher.answers([letter(2, "a", TrialEnded(DONE))], places=1) == {2: None}
    (order,) = dispatcher.answers([letter(3, "b", TrialEnded(DONE))], places=1).values()
    assert isinstance(order, Order)
    assert order.number == 2
    assert dispatcher.answers([letter(4, "c", Joined())], places=1) == {4: None}, "one too many"


def test_a_sweep_asks_for_as_many_workers_as_trials_are_left(searcher: StudySearcher) -> None:
    workers = Workers(["a"])
    train_trials(searcher, workers, lambda: None, lambda: "", patient())
    assert workers.wanted == [3, 3, 2, 1, 0]


def test_a_sweep_that_is_to_stop_hands_out_nothing_more(searcher: StudySearcher) -> None:
    workers = Workers(["a"])
    reason = train_trials(
        searcher,
        workers,
        lambda: None,
        lambda: "enough" if len(workers.trained) else "",
        patient(),
    )
    assert reason == "enough"
    assert workers.stopped
    assert [number for _, number in workers.trained] == [0]


def test_a_worker_that_never_answers_is_not_waited_for_for_ever(
    searcher: StudySearcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "GRACE_SECONDS", 0.05)
    statuses: list[tuple[int, str]] = []

    def note(trial: OpenTrial) -> None:
        statuses.append((trial.number, trial.status))

    searcher._on_change = note

    class Silent(Workers):
        def answer(self, answers: Mapping[int, Answer]) -> None:
            pass

    asked = iter(["", ""])
    train_trials(searcher, Silent(["a"]), lambda: None, lambda: next(asked, "enough"), patient())
    assert statuses == [(0, "running"), (0, "interrupted")]


class Clock:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1.0
        return self.seconds


@pytest.mark.parametrize(("hangs", "last"), [(1, "completed"), (3, "error")])
def test_a_worker_that_hangs_is_ended_and_its_trial_goes_on_elsewhere_up_to_three_times(
    hangs: int, last: str, searcher: StudySearcher
) -> None:
    clock = Clock()
    watch = Watch(LimitsSection(silence_seconds=20), 100, clock)
    left = [hangs]
    incidents: list[tuple[str, str]] = []
    outcomes: dict[int, OpenTrial] = {}
    searcher._on_change = lambda trial: outcomes.__setitem__(trial.number, trial)

    class Hanging(Workers):
        """The first trial's worker says nothing any more; once ended, another starts."""

        def answer(self, answers: Mapping[int, Answer]) -> None:
            hanging = {
                number: answer
                for number, answer in answers.items()
                if isinstance(answer, Order) and answer.number == 0 and left[0] > 0
            }
            left[0] -= len(hanging)
            others = {number: one for number, one in answers.items() if number not in hanging}
            super().answer(others)

        def end(self, worker: str) -> None:
            super().end(worker)
            self._put(f"{worker}+", Joined())

    def incident(kind: str, happened: str) -> None:
        incidents.append((kind, happened))

    workers = Hanging(["a"])
    train_trials(searcher, workers, lambda: None, lambda: "", watch, incident, clock)
    assert len(workers.ended) == hangs
    assert outcomes[0].status == last
    assert {outcomes[1].status, outcomes[2].status} == {Status.COMPLETED}
    assert [kind for kind, _ in incidents] == ["loss"] * hangs
    assert "no sign of life for 2" in incidents[-1][1]
    if last == "error":
        assert "its worker was lost 3 times: no sign of life" in (outcomes[0].outcome.error or "")


def test_a_trial_without_memory_is_tried_once_more_alone(searcher: StudySearcher) -> None:
    incidents: list[str] = []
    dispatcher = Dispatcher(searcher, patient(), lambda kind, text: incidents.append(text))
    full = TrialOutcome(Status.ERROR, error="OutOfMemoryError: tried to allocate 2 GiB")
    orders = dispatcher.answers([letter(0, "a", Joined()), letter(1, "b", Joined())])
    assert sorted(orders) == [0, 1]
    assert dispatcher.answers([letter(2, "a", TrialEnded(full))]) == {}
    (again,) = dispatcher.answers([letter(3, "b", TrialEnded(DONE))]).values()
    assert isinstance(again, Order)
    assert (again.number, again.fresh) == (0, False)
    assert incidents == ["trial 0 ran out of memory; it is tried again, alone"]
    # Whoever waits goes on once the trial has ended, for good this time.
    holder = "a" if searcher.holds("a") else "b"
    (other,) = dispatcher.answers([letter(4, holder, TrialEnded(full))]).values()
    assert isinstance(other, Order)
    assert other.number == 2


def test_a_worker_that_can_train_nothing_ends_the_sweep_before_a_trial_is_begun(
    searcher: StudySearcher,
) -> None:
    workers = Workers([])
    workers._put("a", Joined("the worker on far has no mnist under /data"))
    with pytest.raises(CutOffError, match="the worker on far has no mnist"):
        train_trials(searcher, workers, lambda: None, lambda: "", patient())
    assert workers.trained == []


def test_a_worker_that_leaves_is_let_go_and_the_next_one_gets_the_next_trial(
    searcher: StudySearcher,
) -> None:
    incidents: list[tuple[str, str]] = []
    dispatcher = Dispatcher(searcher, patient(), lambda *happened: incidents.append(happened))
    for number, load in enumerate((0.02, 0.3, None)):
        worker = f"process {number}"
        order = dispatcher.answers([letter(2 * number, worker, Joined())])[2 * number]
        assert isinstance(order, Order)
        assert order.number == number
        ended = TrialEnded(replace(DONE, other_load=load), leaves=True)
        answers = dispatcher.answers([letter(2 * number + 1, worker, ended)])
        assert answers == {2 * number + 1: None}
        assert not searcher.holds(worker)
    assert searcher.done
    said = "trial 1 was timed while other processes kept 0.30 cores busy"
    assert incidents == [("loaded", said)]


class TestOrdersThatAreLaidOut:
    """A worker takes one without asking, and the driver hears of it later."""

    @pytest.fixture
    def study(self, tmp_path: Path, algorithm: str) -> SweepStudy:
        paths = SweepPaths(tmp_path, "x")
        paths.create()
        return create_study(spec_of(algorithm, 5), paths)

    @pytest.fixture(params=["random", "tpe"])
    def algorithm(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def play(
        self, algorithm: str, study: SweepStudy, take_back: list[int]
    ) -> tuple[Dispatcher, StudySearcher, dict[int, Order]]:
        """Have worker a train trial 0, with trial 1 laid out."""
        searcher = searcher_of(spec_of(algorithm, 5), study, trials=5)
        dispatcher = Dispatcher(searcher, patient(), lambda *_: None, lambda: take_back)
        (first,) = dispatcher.answers([letter(0, "a", Joined())]).values()
        assert isinstance(first, Order)
        dispatcher.draw_ahead()
        assert dispatcher.laid_out(9) == {}, "the study's database does not have it yet"
        study.save()
        orders = dispatcher.laid_out(9)
        assert list(orders) == [1]
        assert dispatcher.laid_out(9) == {}, "it is there already"
        return dispatcher, searcher, orders

    def test_one_that_is_taken_is_its_worker_s(self, algorithm: str, study: SweepStudy) -> None:
        dispatcher, searcher, orders = self.play(algorithm, study, [])
        assert dispatcher.answers([letter(1, "a", TrialEnded(DONE), False, taken=1)]) == {}
        assert searcher.number("a") == 1
        assert searcher._held["a"].trial.params == orders[1].params
        assert study.trials[0].state is TrialState.COMPLETE
        dispatcher.draw_ahead()
        study.save()
        assert list(dispatcher.laid_out(9)) == [2]

    def test_one_that_is_left_is_given_to_a_worker_that_asks(
        self, algorithm: str, study: SweepStudy
    ) -> None:
        dispatcher, _, orders = self.play(algorithm, study, [1])
        (order,) = dispatcher.answers([letter(1, "b", Joined())]).values()
        assert isinstance(order, Order)
        assert (order.number, order.params) == (1, orders[1].params)

    def test_one_whose_taking_is_not_known_yet_is_given_to_nobody(
        self, algorithm: str, study: SweepStudy
    ) -> None:
        dispatcher, searcher, _ = self.play(algorithm, study, [])
        (order,) = dispatcher.answers([letter(1, "b", Joined())]).values()
        assert isinstance(order, Order)
        assert order.number == 2
        dispatcher.answers([letter(2, "a", TrialEnded(DONE), False, taken=1)])
        assert (searcher.number("a"), searcher.number("b")) == (1, 2)

    def test_that_of_a_lost_worker_is_trained_by_another(
        self, algorithm: str, study: SweepStudy
    ) -> None:
        dispatcher, _, orders = self.play(algorithm, study, [])
        dispatcher.lose("a", "killed")
        late = letter(1, "a", TrialEnded(DONE), False, taken=1)
        joins = [letter(2, "b", Joined()), letter(3, "c", Joined())]
        given = dispatcher.answers([late, *joins])
        assert {one.number for one in given.values() if isinstance(one, Order)} == {0, 1}
        assert orders[1].fresh
        # Either may have left records.
        assert not any(one.fresh for one in given.values() if isinstance(one, Order))

    def test_none_is_left_there_where_a_place_is_to_be_given_back(
        self, algorithm: str, study: SweepStudy
    ) -> None:
        dispatcher, searcher, _ = self.play(algorithm, study, [1])
        assert dispatcher.laid_out(0) == {}
        assert not searcher.laid_out
        assert dispatcher.answers([letter(1, "a", TrialEnded(DONE))], places=0) == {1: None}

    def test_a_trial_that_came_back_goes_first(self, algorithm: str, study: SweepStudy) -> None:
        dispatcher, _, _ = self.play(algorithm, study, [1])
        dispatcher.answers([letter(1, "b", Joined())])
        dispatcher.lose("a", "killed")
        dispatcher.draw_ahead()
        study.save()
        assert dispatcher.laid_out(9) == {}

    def test_a_whole_sweep_with_them(self, algorithm: str, study: SweepStudy) -> None:
        workers = Workers(["a", "b"])
        searcher = searcher_of(spec_of(algorithm, 5), study, trials=5)
        train_trials(searcher, workers, study.save, lambda: "", patient())
        assert sorted(number for _, number in workers.trained) == [0, 1, 2, 3, 4]
        assert workers.taken
        assert sorted(workers.released) == ["a", "b"]


def test_two_trials_of_one_configuration_are_not_laid_out_at_once(tmp_path: Path) -> None:
    space = {"learning_rate": {"choice": [1e-3]}}
    search = {"algorithm": "random", "trials": 4}
    spec = parse_spec({"name": "x", "space": space, "search": search})
    paths = SweepPaths(tmp_path, "x")
    paths.create()
    study = create_study(spec, paths)
    searcher = searcher_of(spec, study, trials=4)
    assert searcher.next("a") is not None
    searcher.draw_ahead()
    study.save()
    assert searcher.lay_out() == []
