from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from analysis.store.statuses import Status
from sweeps.search.early_stopping import judge_of
from sweeps.search.open_trials import EpochEnded, OpenTrial, TrialOutcome
from sweeps.search.searcher import WORKER_RESTARTS, StudySearcher
from sweeps.search.study import Work, create_study, reopen_study
from sweeps.spec.algorithms import ALGORITHMS
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import grid, trial_count
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths

COMPLETED = TrialOutcome(Status.COMPLETED, objective=1.0)


def spec_of(**more: object) -> SweepSpec:
    return parse_spec(
        {
            "name": "told",
            "space": {"learning_rate": {"log": [1e-4, 1e-2]}},
            "recipe": {"epochs": 9},
            "search": {"algorithm": "random", "trials": 5},
            "seeds": 2,
            **more,
        }
    )


class Told:
    """A searcher over a real study on disk, and what it told the driver."""

    def __init__(self, spec: SweepSpec, root: Path, again: bool = False) -> None:
        self.paths = SweepPaths(root, spec.name)
        if not again:
            self.paths.create()
        self.url = f"sqlite:///{self.paths.study}"
        self.changes: list[tuple[int, str]] = []
        self.study = reopen_study(spec, self.paths, 0) if again else create_study(spec, self.paths)
        self.judge = judge_of(spec)
        work = Work(trial_count(spec) - len(self.study.ended()))
        self.searcher = StudySearcher(spec, self.study, self.judge, self.note, work)

    def note(self, trial: OpenTrial) -> None:
        self.changes.append((trial.number, trial.status))

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """Read the study from the disk with plain Optuna."""
        self.study.save()
        return optuna.load_study(study_name="told", storage=self.url).trials

    def states(self) -> list[TrialState]:
        return [trial.state for trial in self.trials()]

    def number(self, worker: str) -> int:
        trial = self.searcher.next(worker)
        assert trial is not None
        return trial.number


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(spec_of(), tmp_path)


@pytest.mark.parametrize(
    ("status", "objective", "state"),
    [
        (Status.COMPLETED, 2.5, TrialState.COMPLETE),
        (Status.COMPLETED, None, TrialState.FAIL),
        (Status.PRUNED, None, TrialState.PRUNED),
        (Status.DIVERGED, None, TrialState.FAIL),
        (Status.ERROR, None, TrialState.FAIL),
        (Status.INTERRUPTED, None, TrialState.WAITING),
    ],
)
def test_the_study_is_told_the_truth(
    told: Told, status: Status, objective: float | None, state: TrialState
) -> None:
    told.searcher.next("w1")
    told.searcher.end("w1", TrialOutcome(status, objective=objective))
    assert told.states() == [state]
    assert told.changes == [(0, "running"), (0, status)]


def test_the_objective_is_the_study_s_value(told: Told) -> None:
    told.searcher.next("w1")
    outcome = TrialOutcome(Status.COMPLETED, objective=2.5, objective_standard_error=0.25)
    told.searcher.end("w1", outcome)
    (trial,) = told.trials()
    assert trial.value == 2.5
    assert trial.user_attrs["objective_standard_error"] == 0.25
    assert trial.user_attrs["status"] == "completed"
    assert len(trial.user_attrs["config_id"]) == 16


def test_a_pruned_trial_keeps_its_values_by_step(told: Told) -> None:
    told.searcher.next("w1")
    for epoch, error in ((1, 50.0), (2, 40.0)):
        told.searcher.epoch("w1", EpochEnded(0, epoch, error))
    told.searcher.epoch("w1", EpochEnded(1, 1, 30.0))
    told.searcher.end("w1", TrialOutcome(Status.PRUNED))
    (trial,) = told.trials()
    assert trial.state is TrialState.PRUNED
    # The second seed's first epoch is the trial's tenth; its value is the mean over both seeds.
    assert trial.intermediate_values == {1: 50.0, 2: 40.0, 10: 40.0}


def test_epochs_that_only_the_store_knows_are_told_on_resume(tmp_path: Path) -> None:
    spec = spec_of()
    first = Told(spec, tmp_path)
    first.searcher.next("w1")
    first.study.save()  # and the driver dies, while the worker records two epochs
    second = Told(spec, tmp_path, again=True)
    second.judge.recall([(0, 0, 1, 50.0), (0, 0, 2, 40.0)], ())
    second.searcher.next("w1")
    second.searcher.end("w1", TrialOutcome(Status.PRUNED))
    assert second.trials()[0].intermediate_values == {1: 50.0, 2: 40.0}


def test_the_budget_is_the_end(told: Told) -> None:
    assert [told.number(f"w{index}") for index in range(5)] == [0, 1, 2, 3, 4]
    assert told.searcher.next("w5") is None
    assert not told.searcher.done
    for index in range(5):
        told.searcher.end(f"w{index}", COMPLETED)
    assert told.searcher.done
    assert len(told.states()) == 5


def test_no_trial_is_left_running(told: Told) -> None:
    told.searcher.next("w1")
    told.searcher.next("w2")
    told.searcher.end("w1", COMPLETED)
    told.searcher.close_open()
    assert told.states() == [TrialState.COMPLETE, TrialState.WAITING]


def test_a_lost_worker_s_trial_goes_to_the_next_that_asks(told: Told) -> None:
    told.searcher.next("w1")
    told.searcher.next("w2")
    told.searcher.lose("w1", "killed")
    assert told.number("w3") == 0
    told.searcher.lose("w1", "said again")  # it holds nothing any more
    assert told.states() == [TrialState.RUNNING] * 2


def test_a_trial_that_kills_its_workers_is_an_error(told: Told) -> None:
    for attempt in range(WORKER_RESTARTS + 1):
        assert told.number(f"w{attempt}") == 0
        told.searcher.lose(f"w{attempt}", "out of memory")
    (trial,) = told.trials()
    assert (trial.state, trial.user_attrs["status"]) == (TrialState.FAIL, "error")
    assert told.number("w9") == 1


def test_two_trials_of_one_configuration_never_run_at_once(tmp_path: Path) -> None:
    spec = spec_of(space={"s": {"choice": [3, 5]}}, search={"algorithm": "random", "trials": 6})
    told = Told(spec, tmp_path)
    first, second = told.searcher.next("w1"), told.searcher.next("w2")
    assert first is not None
    assert second is not None
    assert first.params != second.params
    assert told.searcher.next("w3") is None
    order = [("w1", first), ("w2", second)]
    while order:
        worker, _ = order.pop(0)
        told.searcher.end(worker, COMPLETED)
        following = told.searcher.next(worker)
        if following is not None:
            assert following.config_id not in {one.config_id for _, one in order}
            order.append((worker, following))
    assert told.searcher.done
    assert told.states() == [TrialState.COMPLETE] * 6


def test_a_grid_is_suggested_once_and_whole(tmp_path: Path) -> None:
    space = {"activation": {"grid": ["relu", "polyneuron_r"]}, "lambda_sum": {"grid": [0, 0.1]}}
    spec = spec_of(space=space, search="grid")
    told = Told(spec, tmp_path)
    suggested = []
    while (trial := told.searcher.next(f"w{len(suggested)}")) is not None:
        suggested.append(trial.params)
    assert suggested == grid(spec)
    assert len(suggested) == 3


def test_a_reopened_grid_takes_up_what_was_open_and_then_what_is_left(tmp_path: Path) -> None:
    spec = spec_of(space={"s": {"grid": [3, 5, 7, 9]}, "k": 3}, search="grid")
    first = Told(spec, tmp_path)
    first.searcher.next("w1")
    first.searcher.next("w2")
    first.searcher.end("w1", COMPLETED)
    first.study.save()  # and the driver dies
    second = Told(spec, tmp_path, again=True)
    assert second.states() == [TrialState.COMPLETE, TrialState.WAITING]
    rest = [second.searcher.next(f"w{index}") for index in range(3)]
    assert [(one.number, one.params["s"]) for one in rest if one] == [(1, 5), (2, 7), (3, 9)]
    assert second.searcher.next("w4") is None


def test_nsga2_is_told_error_and_epoch_seconds(tmp_path: Path) -> None:
    told = Told(spec_of(search={"algorithm": "nsga2", "trials": 2}), tmp_path)
    told.searcher.next("w1")
    told.searcher.epoch("w1", EpochEnded(0, 1, 50.0))
    told.searcher.end("w1", TrialOutcome(Status.COMPLETED, objective=2.5, epoch_seconds=0.5))
    told.searcher.next("w1")
    told.searcher.end("w1", TrialOutcome(Status.DIVERGED))
    assert [trial.values for trial in told.trials()] == [[2.5, 0.5], None]
    assert told.states() == [TrialState.COMPLETE, TrialState.FAIL]


WEIGHED = {
    "recipe": {},
    "trainer": {"name": "anything:train", "code": "0", "steps": 9},
    "space": {"x": {"uniform": [0, 1]}},
    "objective": {"metric": "score", "direction": "max", "also": {"size": "min", "speed": "max"}},
    "early_stopping": {"rule": "asha", "reduction": 2, "grace_epochs": 1},
}


@pytest.mark.parametrize("algorithm", [name for name, one in ALGORITHMS.items() if one.weighs])
def test_several_objectives_are_told_and_the_first_one_stops_trials(
    tmp_path: Path, algorithm: str
) -> None:
    """After more trials than samplers draw at random, with some that were stopped or failed."""
    space = (
        {"x": {"grid": [n / 15 for n in range(15)]}} if algorithm == "grid" else WEIGHED["space"]
    )
    trials = {} if algorithm == "grid" else {"trials": 15}
    spec = spec_of(**{**WEIGHED, "space": space, "search": {"algorithm": algorithm, **trials}})
    told = Told(spec, tmp_path)
    for place in range(15):
        trial = told.searcher.next("w1")
        assert trial is not None
        if told.searcher.epoch("w1", EpochEnded(0, 1, float(-place if place % 3 else place))):
            told.searcher.end("w1", TrialOutcome(Status.PRUNED))
        elif place == 6:
            told.searcher.end("w1", TrialOutcome(Status.COMPLETED, 1.0, also={"size": 3.0}))
        else:
            x = float(trial.params["x"])
            also = {"size": 1 - x, "speed": x}
            told.searcher.end("w1", TrialOutcome(Status.COMPLETED, objective=x, also=also))
    told.trials()
    study = optuna.load_study(study_name="told", storage=told.url)
    assert [one.name for one in study.directions] == ["MAXIMIZE", "MINIMIZE", "MAXIMIZE"]
    states = [one.state for one in study.trials]
    assert states.count(TrialState.PRUNED) == 10
    assert states[6] is TrialState.FAIL, "one objective is missing"
    assert {len(one.values) for one in study.trials if one.values} == {3}


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({}, ["mean over seeds of last_val_error_percent"]),
        (
            {"search": {"algorithm": "nsga2", "trials": 2}},
            ["mean over seeds of last_val_error_percent", "seconds an epoch"],
        ),
        (WEIGHED, ["mean over seeds of score", "size", "speed"]),
    ],
)
def test_the_study_names_its_values(tmp_path: Path, more: dict, names: list[str]) -> None:
    told = Told(spec_of(**more), tmp_path)
    told.trials()
    assert optuna.load_study(study_name="told", storage=told.url).metric_names == names


def test_a_search_begins_with_its_enqueued_points_and_draws_the_rest_of_them(
    tmp_path: Path,
) -> None:
    """Also where it is cut off after the first of them."""
    space = {"learning_rate": {"log": [1e-4, 1e-2]}, "drop_factor": {"uniform": [0.1, 0.9]}}
    starts = [{"learning_rate": 1e-3}, {"learning_rate": 2e-3, "drop_factor": 0.5}]
    search = {"algorithm": "random", "trials": 4, "enqueue": starts}
    spec = spec_of(space=space, search=search)
    told = Told(spec, tmp_path)
    told.searcher.next("w1")
    told.searcher.end("w1", COMPLETED)
    told.study.save()
    told.study.close()
    again = Told(spec, tmp_path, again=True)
    for _ in range(3):
        again.searcher.next("w1")
        again.searcher.end("w1", COMPLETED)
    points = [trial.params for trial in again.trials()]
    assert points[0]["learning_rate"] == 1e-3
    assert points[0].keys() == space.keys()
    assert points[1] == starts[1]
    assert all(rate not in (1e-3, 2e-3) for rate in (p["learning_rate"] for p in points[2:]))


def test_a_study_of_a_metric_to_be_maximised_says_so(tmp_path: Path) -> None:
    spec = spec_of(
        recipe={},
        space={"x": {"uniform": [0, 1]}},
        trainer={"name": "anything:train", "code": "0", "steps": 9},
        objective={"metric": "score", "direction": "max"},
    )
    told = Told(spec, tmp_path)
    for objective in (1.0, 3.0, 2.0):
        told.searcher.next("w1")
        told.searcher.end("w1", TrialOutcome(Status.COMPLETED, objective=objective))
    told.study.save()
    study = optuna.load_study(study_name="told", storage=told.url)
    assert study.best_value == 3.0
    assert study.metric_names == ["mean over seeds of score"]
