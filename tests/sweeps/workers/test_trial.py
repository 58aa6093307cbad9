import sys
from pathlib import Path

import pytest

import analysis
from analysis.store.schema import SWEEPS
from sweeps.search.open_trials import TrialOutcome
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import Params
from sweeps.spec.sections import ObjectiveSection, SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.workers.trial import (
    OnEpoch,
    mean_over_seeds,
    objective_value,
    train_trial,
)
from trainers import Execution, RunStopped


def spec_of(**more: object) -> SweepSpec:
    raw = {
        "name": "tried",
        "data": {"name": "digits", "train_images": 64},
        "recipe": {"epochs": 3},
        "activation": "relu",
        "search": "grid",
        "seeds": 2,
        **more,
    }
    return parse_spec(raw)


def attempt(
    root: Path,
    spec: SweepSpec,
    on_epoch: OnEpoch,
    fresh: bool = False,
    params: Params | None = None,
    added_seeds: tuple[int, ...] = (),
) -> TrialOutcome:
    paths = SweepPaths(root, spec.name)
    paths.folder.mkdir(parents=True, exist_ok=True)
    paths.store.writer("driver").write(SWEEPS, [{"sweep": spec.name}])
    execution = Execution(threads=1, checkpoint_folder=paths.checkpoints)
    return train_trial(spec, paths, 0, params or {}, execution, on_epoch, fresh, added_seeds)


@pytest.mark.parametrize(
    ("values", "errors", "expected"),
    [([2.0, 4.0], 0.0, 3.0), ([2.0, 4.0], 2.0, 5.0), ([2.0], 0.0, 2.0), ([], 1.0, None)],
)
def test_a_cautious_objective_adds_standard_errors(
    values: list[float], errors: float, expected: float | None
) -> None:
    objective = ObjectiveSection(plus_standard_errors=errors)
    assert objective_value(objective, *mean_over_seeds(values)) == expected


def test_the_outcome_is_what_the_runs_came_to(tmp_path: Path) -> None:
    spec = spec_of(objective={"metric": "best_val_error_percent", "plus_standard_errors": 2})
    outcome = attempt(tmp_path, spec, lambda *_: None, fresh=True)
    runs = analysis.load(tmp_path / "tried").runs
    best = runs["best_val_error_percent"]
    mean, error = best.mean(), abs(best[0] - best[1]) / 2
    assert outcome.objective == pytest.approx(mean + 2 * error, rel=1e-12)
    assert outcome.objective_standard_error == pytest.approx(error, rel=1e-12)
    assert (outcome.seeds_done, outcome.epochs_done) == (2, 6)
    assert outcome.epoch_seconds == pytest.approx(runs["epoch_seconds"].mean(), rel=1e-12)
    assert outcome.report_seconds is not None
    assert outcome.report_seconds > 0
    for part in ("data", "setup", "train", "evaluation", "snapshot", "checkpoint"):
        spent = runs[f"{part}_seconds"].sum()
        assert getattr(outcome, f"{part}_seconds") == pytest.approx(spent, rel=1e-12)
        assert spent > 0


def test_a_pruned_trial_ends_with_its_epoch_and_is_not_taken_up_again(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def prune(seed_index: int, record, _: str) -> None:
        seen.append((seed_index, record.epoch))
        if (seed_index, record.epoch) == (1, 2):
            raise RunStopped("pruned", "not among the best")

    for _ in range(2):
        outcome = attempt(tmp_path, spec_of(), prune)
        assert (outcome.status, outcome.error) == ("pruned", "not among the best")
        assert (outcome.objective, outcome.seeds_done, outcome.epochs_done) == (None, 1, 5)
    assert seen == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]
    results = analysis.load(tmp_path / "tried")
    assert list(results.runs.sort_values("seed")["status"]) == ["completed", "pruned"]
    assert list(results.runs.sort_values("seed")["epochs_done"]) == [3, 2]


@pytest.mark.parametrize(("purpose", "seeds"), [("confirmatory", [0, 1]), ("exploratory", [0])])
def test_only_a_confirmatory_sweep_trains_the_other_seeds_of_a_trial_that_diverged(
    tmp_path: Path, purpose: str, seeds: list[int]
) -> None:
    for params, status in (({"learning_rate": 1e6}, "diverged"), ({}, "completed")):
        spec = spec_of(name=status, purpose=purpose)
        assert attempt(tmp_path, spec, lambda *_: None, params=params).status == status
        runs = analysis.load(tmp_path / status).runs.sort_values("seed")
        assert list(runs["seed"]) == (seeds if status == "diverged" else [0, 1])
        assert set(runs["status"]) == {status}


def test_a_trial_with_added_seeds_trains_them_last_and_its_mean_is_over_all(tmp_path: Path) -> None:
    first = attempt(tmp_path, spec_of(), lambda *_: None)
    seen: set[int] = set()
    more = attempt(tmp_path, spec_of(), lambda index, *_: seen.add(index), added_seeds=(1, 5))
    assert (first.seeds_done, more.seeds_done) == (2, 3)
    assert seen == {2}  # the seeds of before are not trained again
    runs = analysis.load(tmp_path / "tried").runs
    assert list(runs["seed"]) == [0, 1, 5]
    assert more.objective == pytest.approx(runs["last_val_error_percent"].mean(), rel=1e-12)


def test_a_warning_comes_with_its_epoch_and_stays_in_the_events(tmp_path, monkeypatch) -> None:
    text = "inputs of act1 reached 51"
    monkeypatch.setattr("trainers.stability.Stability.warning", lambda _: text)
    seen: list[tuple[int, int, str]] = []
    attempt(tmp_path, spec_of(), lambda seed, epoch, word: seen.append((seed, epoch.epoch, word)))
    assert [word for _, _, word in seen] == [text, "", "", text, "", ""]
    events = analysis.load(tmp_path / "tried").events
    assert list(events[events["kind"] == "unstable"]["detail"]) == [text, text]


def test_an_interrupted_trial_goes_on_where_it_was(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def interrupt_once(seed_index: int, record, _: str) -> None:
        seen.append((seed_index, record.epoch))
        if len(seen) == 2:
            raise RunStopped("interrupted")

    assert attempt(tmp_path, spec_of(), interrupt_once).status == "interrupted"
    assert attempt(tmp_path, spec_of(), interrupt_once).status == "completed"
    # The epoch that was reported last comes again, as trainers promise each at least once.
    assert seen == [(0, 1), (0, 2), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]
    epochs = analysis.load(tmp_path / "tried").epochs
    assert len(epochs) == 6
    runs = analysis.load(tmp_path / "tried").runs
    medians = epochs.groupby("run_id", observed=True)["epoch_seconds"].median()
    for _, run in runs.iterrows():
        assert run["epoch_seconds"] == pytest.approx(medians[run["run_id"]], rel=1e-12)


FAILING = """
from torch import nn


class Late(nn.Module):
    def __init__(self, activation, classes, fails):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(784, 8), activation(8))
        self.head, self.fails, self.calls = nn.Linear(8, classes), fails, 0

    def forward(self, x):
        self.calls += self.training
        if self.fails and self.calls == 3:
            raise KeyError("mine, on\\ntwo lines")
        return self.head(self.body(x))


def late(activation, *, classes, fails=True):
    return Late(activation, classes, fails)
"""


def test_a_users_exception_is_one_line_of_the_trial_and_a_traceback_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    file = tmp_path / "failing_net.py"
    file.write_text(FAILING)
    spec = parse_spec(spec_of().model_dump(mode="json") | {"network": "failing_net:late"}, tmp_path)
    outcome = attempt(tmp_path / "results", spec, lambda *_: None)
    assert outcome.status == "error"
    assert outcome.error.startswith("KeyError: ")
    assert outcome.error.endswith(f"({file}:14)")
    assert len(outcome.error.splitlines()) == 1
    folder = tmp_path / "results" / spec.name
    events = analysis.load(folder).events
    (trace,) = events.loc[events["kind"] == "error", "detail"]
    for text in (trace, (folder / "log.txt").read_text()):
        assert f'File "{file}", line 14, in forward' in text
    # Another trial of the same sweep goes on.
    other = attempt(tmp_path / "results", spec, lambda *_: None, params={"network.fails": False})
    assert other.status == "completed"
