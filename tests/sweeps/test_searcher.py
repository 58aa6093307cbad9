import pickle
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from sweeps.search_space import grid, trial_count
from sweeps.searcher import StudySearcher
from sweeps.spec import SweepSpec
from sweeps.spec_file import parse_spec
from sweeps.store import SweepPaths
from sweeps.study import OpenTrial, Work, create_study


def spec_of(**more: object) -> SweepSpec:
    return parse_spec(
        {
            "name": "told",
            "space": {"learning_rate": {"log": [1e-4, 1e-2]}},
            "search": {"algorithm": "random", "trials": 5},
            "seeds": 2,
            **more,
        }
    )


class Told:
    """A searcher over a real study on disk, and what it told the driver."""

    def __init__(self, spec: SweepSpec, root: Path) -> None:
        paths = SweepPaths(root, spec.name)
        paths.create()
        self.url = f"sqlite:///{paths.study}"
        self.changes: list[tuple[int, str]] = []
        work = Work(trial_count(spec))
        self.searcher = StudySearcher(spec, create_study(spec, paths), self.note, work)

    def note(self, trial: OpenTrial, status: str) -> None:
        self.changes.append((trial.number, status))

    def states(self) -> list[TrialState]:
        study = optuna.load_study(study_name="told", storage=self.url)
        return [trial.state for trial in study.trials]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(spec_of(), tmp_path)


@pytest.mark.parametrize(
    ("result", "error", "status", "state"),
    [
        ({"status": "completed", "objective": 2.5}, False, "completed", TrialState.COMPLETE),
        ({"status": "pruned"}, False, "pruned", TrialState.PRUNED),
        ({"status": "diverged"}, False, "diverged", TrialState.FAIL),
        ({"status": "error"}, False, "error", TrialState.FAIL),
        ({"run": 0, "epoch": 1}, True, "error", TrialState.FAIL),
        ({"run": 0, "epoch": 1}, False, "interrupted", TrialState.WAITING),
        (None, True, "error", TrialState.FAIL),
    ],
)
def test_the_study_is_told_the_truth(
    told: Told, result: dict | None, error: bool, status: str, state: TrialState
) -> None:
    told.searcher.suggest("t1")
    told.searcher.on_trial_complete("t1", result, error)
    assert told.states() == [state]
    assert told.changes == [(0, "running"), (0, status)]


def test_the_objective_is_the_study_s_value(told: Told) -> None:
    told.searcher.suggest("t1")
    told.searcher.on_trial_complete("t1", {"status": "completed", "objective": 2.5})
    study = optuna.load_study(study_name="told", storage=told.url)
    assert study.best_value == 2.5
    assert study.trials[0].user_attrs["status"] == "completed"
    assert len(study.trials[0].user_attrs["config_id"]) == 16


def test_the_budget_is_the_end(told: Told) -> None:
    suggestions = [told.searcher.suggest(f"t{index}") for index in range(5)]
    assert [one["number"] for one in suggestions] == [0, 1, 2, 3, 4]
    assert told.searcher.suggest("t5") == Searcher.FINISHED
    assert len(told.states()) == 5


def test_no_trial_is_left_running(told: Told) -> None:
    told.searcher.suggest("t1")
    told.searcher.suggest("t2")
    told.searcher.on_trial_complete("t1", {"status": "completed", "objective": 1.0})
    told.searcher.close_open("interrupted")
    assert told.states() == [TrialState.COMPLETE, TrialState.WAITING]


def test_a_grid_is_suggested_once_and_whole(tmp_path: Path) -> None:
    space = {"activation": {"grid": ["relu", "polyneuron_r"]}, "lambda_sum": {"grid": [0, 0.1]}}
    spec = spec_of(space=space, search="grid")
    told = Told(spec, tmp_path)
    suggested = []
    while (suggestion := told.searcher.suggest(f"t{len(suggested)}")) != Searcher.FINISHED:
        suggested.append(suggestion["params"])
    assert suggested == grid(spec)
    assert len(suggested) == 3


def test_ray_s_pickle_of_the_searcher_holds_no_storage(told: Told) -> None:
    told.searcher.suggest("t1")
    pickled = pickle.dumps(told.searcher)
    assert b"sqlite" not in pickled
    assert b"study.db" not in pickled
    # A searcher out of a pickle has no study to draw from.
    assert pickle.loads(pickled).suggest("t2") == Searcher.FINISHED
