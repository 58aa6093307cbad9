"""Trials of training functions of a user's own, from the specification to the store."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import analysis
from analysis.store.schema import SWEEPS
from sweeps.driver.rows import sweep_row
from sweeps.search.open_trials import TrialOutcome
from sweeps.spec.errors import SpecError
from sweeps.spec.reading import parse_spec
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.workers.run_end import OnEpoch
from sweeps.workers.trial import train_trial
from trainers import Execution, RunStopped
from trainers.function import Step

MODULE = "written_trainer"
SPEC = {
    "name": "own",
    "trainer": f"{MODULE}:train",
    "objective": {"metric": "score", "direction": "max"},
    "space": {"a": {"uniform": [0.0, 1.0]}},
    "search": {"trials": 2},
    "seeds": 3,
}
COUNTING = """\
def train(config, seed, report, checkpoint):
    file = checkpoint / "done"
    done = int(file.read_text()) if file.exists() else 0
    for step in range(done + 1, 5):
        file.write_text(str(step))
        report(epoch=step, score=step + config["a"] + seed, loss=-step)
"""


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[..., SweepSpec]]:
    path = list(sys.path)

    def write(code: str, **more: Any) -> SweepSpec:
        (tmp_path / f"{MODULE}.py").write_text(code)
        return parse_spec({**SPEC, **more}, tmp_path)

    yield write
    sys.path[:] = path
    sys.modules.pop(MODULE, None)


def attempt(
    root: Path, spec: SweepSpec, on_epoch: OnEpoch = lambda *_: None, trial: int = 0
) -> TrialOutcome:
    paths = SweepPaths(root, spec.name)
    paths.folder.mkdir(parents=True, exist_ok=True)
    paths.store.writer("driver").write(SWEEPS, [sweep_row(spec, 2)])
    execution = Execution(threads=1, checkpoint_folder=paths.checkpoints)
    return train_trial(spec, paths, trial, {"a": 0.5}, execution, on_epoch)


def test_a_trial_is_the_mean_over_seeds_of_what_the_function_reports(
    written: Callable[..., SweepSpec], tmp_path: Path
) -> None:
    outcome = attempt(tmp_path, written(COUNTING))
    assert (outcome.status, outcome.seeds_done, outcome.epochs_done) == ("completed", 3, 12)
    assert outcome.objective == 5.5
    assert outcome.objective_standard_error == pytest.approx(3**-0.5)
    results = analysis.load(tmp_path / "own")
    assert results.runs["metric_value"].tolist() == [4.5, 5.5, 6.5]
    assert set(results.runs["benchmark"]) == {f"{MODULE}:train"}
    wide = results.wide_metrics()
    assert list(wide.columns) == ["sweep", "run_id", "epoch", "loss", "score"]
    assert len(wide) == len(results.epochs) == 12
    assert (wide["loss"] == -wide["epoch"]).all()
    assert results.verified


WEIGHED = {
    "objective": {
        "metric": "score",
        "direction": "max",
        "also": {"loss": "min", "epoch_seconds": "min"},
    }
}


def test_a_trial_of_several_objectives_has_the_mean_of_each(
    written: Callable[..., SweepSpec], tmp_path: Path
) -> None:
    """Also where its runs had ended before, and are taken from their rows."""
    spec = written(COUNTING, **WEIGHED)
    outcomes = [attempt(tmp_path, spec) for _ in range(2)]
    for outcome in outcomes:
        assert (outcome.objective, outcome.also) == (5.5, {"loss": -4.0})
        assert outcome.values(spec.also) == [5.5, -4.0, outcome.epoch_seconds]
    results = analysis.load(tmp_path / "own")
    assert results.runs["also_json"].tolist() == ['{"loss": -4.0}'] * 3
    assert results.verified


def test_a_further_objective_that_is_never_reported_is_named(
    written: Callable[..., SweepSpec], tmp_path: Path
) -> None:
    code = "def train(config, seed, report):\n    report(score=1)\n"
    outcome = attempt(tmp_path, written(code, **WEIGHED))
    assert outcome.status == "error"
    assert "returned without reporting 'loss'; it reported score" in (outcome.error or "")
    assert outcome.values(written(code, **WEIGHED).also) is None


@pytest.mark.parametrize(("direction", "expected"), [("max", 5.5 - 2 / 3**0.5), ("min", None)])
def test_caution_makes_the_mean_worse(
    written: Callable[..., SweepSpec], tmp_path: Path, direction: str, expected: float | None
) -> None:
    objective = {"metric": "score", "direction": direction, "plus_standard_errors": 2}
    outcome = attempt(tmp_path, written(COUNTING, objective=objective))
    assert outcome.objective == pytest.approx(expected or 5.5 + 2 / 3**0.5)


def test_a_stopped_run_goes_on_from_its_own_checkpoint(
    written: Callable[..., SweepSpec], tmp_path: Path
) -> None:
    def stop(seed_index: int, step: Any, warning: str) -> None:
        assert isinstance(step, Step)
        if (seed_index, step.epoch) == (1, 2):
            raise RunStopped("interrupted")

    seen: list[tuple[int, int]] = []
    spec = written(COUNTING)
    assert attempt(tmp_path, spec, stop).status == "interrupted"
    outcome = attempt(tmp_path, spec, lambda index, step, _: seen.append((index, step.epoch)))
    # The first seed had ended, and the second had done two steps.
    assert seen == [(1, 3), (1, 4), (2, 1), (2, 2), (2, 3), (2, 4)]
    assert (outcome.status, outcome.objective, outcome.epochs_done) == ("completed", 5.5, 12)
    results = analysis.load(tmp_path / "own")
    assert results.runs["epochs_done"].tolist() == [4, 4, 4]
    assert len(results.metrics) == 24
    assert results.verified


def test_a_run_that_goes_on_keeps_the_further_numbers_of_its_first_steps(
    written: Callable[..., SweepSpec], tmp_path: Path
) -> None:
    """The size of a model is reported once, and not again after a resume."""
    code = COUNTING.replace("loss=-step)", "**({'size': 7} if step == 1 else {}))")
    objective = {"metric": "score", "direction": "max", "also": {"size": "min"}}

    def stop(seed_index: int, step: Any, warning: str) -> None:
        if step.epoch == 2:
            raise RunStopped("interrupted")

    spec = written(code, objective=objective)
    assert attempt(tmp_path, spec, stop).also == {}
    outcome = attempt(tmp_path, spec)
    assert (outcome.status, outcome.also) == ("completed", {"size": 7.0})


def test_a_users_exception_is_one_line_with_a_traceback_in_log_and_event(
    written: Callable[..., SweepSpec], tmp_path: Path
) -> None:
    code = "def train(config, seed, report):\n    report(score=1)\n    return config['lr']\n"
    outcome = attempt(tmp_path, written(code))
    assert (outcome.status, outcome.objective) == ("error", None)
    assert outcome.error == f"KeyError: 'lr' ({tmp_path / MODULE}.py:3)"
    events = analysis.load(tmp_path / "own").events
    trace = events.loc[events["kind"] == "error", "detail"].item()
    assert "return config['lr']" in trace
    assert "return config['lr']" in (tmp_path / "own" / "log.txt").read_text()


def test_a_metric_that_is_never_reported_is_named_with_what_was(
    written: Callable[..., SweepSpec], tmp_path: Path
) -> None:
    outcome = attempt(tmp_path, written("def train(config, seed, report):\n    report(loss=1)\n"))
    assert outcome.status == "error"
    assert outcome.error is not None
    assert "returned without reporting 'score'; it reported loss" in outcome.error


def test_a_metric_that_is_no_number_any_more_is_a_divergence(
    written: Callable[..., SweepSpec], tmp_path: Path
) -> None:
    code = "def train(config, seed, report):\n    report(score=float('nan'))\n"
    outcome = attempt(tmp_path, written(code))
    assert (outcome.status, outcome.error) == ("diverged", "score is nan at step 1")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"trainer": "train"}, "trainer: expected module:function, as train_mine:train; got 'tr"),
        ({"trainer": f"{MODULE}:trian"}, f"{MODULE}:trian: {MODULE} has no 'trian'; did you mean"),
        ({"trainer": "not_there:train"}, "not_there:train: no module 'not_there'; expected /"),
        ({"trainer": f"{MODULE}:VALUE"}, f"trainer: {MODULE}:VALUE is no function; got int"),
        (
            {"trainer": f"{MODULE}:other"},
            r"trainer: .*:3\): missing a required argument: 'x'; it i",
        ),
        ({"objective": {"direction": "max"}}, "objective.metric: missing: which of the numbers th"),
        ({"data": "digits"}, "data: the training function .* has its own; leave it out"),
        ({"recipe": {"epochs": 3}}, r"recipe: .* put its settings into the space, as `space: {e"),
        ({"early_stopping": "asha"}, r"trainer.steps: missing: .* `trainer: {name: writ.*, steps:"),
        ({"trainer": None}, "objective.metric: expected last_val_error_percent or best_val_error"),
        (
            {"objective": {"metric": "score", "also": {"score": "max"}}},
            "objective.also: score is objective.metric already",
        ),
        (
            {"objective": {"metric": "score", "at": "best", "also": {"loss": "min"}}},
            "objective.at: best would join numbers of different steps",
        ),
        (
            {
                "objective": {"metric": "score", "also": {"loss": "min"}},
                "search": {"algorithm": "cmaes", "trials": 2},
                "space": {"a": {"uniform": [0, 1]}, "b": {"uniform": [0, 1]}},
            },
            "objective.also: cmaes searches by one objective; leave it out, or search with tpe, gp",
        ),
        (
            {
                "objective": {
                    "metric": "score",
                    "plus_standard_errors": 1,
                    "also": {"loss": "min"},
                }
            },
            "objective.plus_standard_errors: a front compares means",
        ),
        (
            {"objective": {"metric": "score", "also": {"loss": "smallest"}}},
            "objective.also.loss: .*'min' or 'max'",
        ),
        ({"claims": ["no_gain_above_k3"]}, "claims: the paper's are about its own networks"),
    ],
)
def test_a_faulty_specification_is_refused_with_the_mend(
    written: Callable[..., SweepSpec], more: dict[str, Any], message: str
) -> None:
    code = "VALUE = 3\ndef train(config, seed, report): pass\ndef other(x): pass\n"
    with pytest.raises(SpecError, match=message):
        written(code, **more)


def test_a_module_that_fails_to_import_is_named_with_its_line(
    written: Callable[..., SweepSpec], tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match=r"importing it fails: ZeroDivisionError: .*\.py:1\)"):
        written("1 / 0\n")


def test_a_specification_that_was_read_is_read_again_alike(
    written: Callable[..., SweepSpec],
) -> None:
    spec = written(
        COUNTING, early_stopping="median", trainer={"name": f"{MODULE}:train", "steps": 4}
    )
    assert parse_spec(spec.model_dump(mode="json")) == spec
    assert (spec.steps, spec.benchmark) == (4, f"{MODULE}:train")
