"""The examples of training functions of one's own train, as the scripts beside them do."""

import importlib
import shutil
import sys
from pathlib import Path

import optuna
import pytest

import analysis
from analysis.store.schema import SWEEPS
from sweeps.driver.preparation import keep_modules, prepare
from sweeps.driver.rows import sweep_row
from sweeps.spec.own_modules import use_copy
from sweeps.spec.reading import load_spec
from sweeps.store.paths import SweepPaths
from sweeps.workers.trial import train_trial
from trainers import Execution

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

POINTS = {
    "own_function": {"loss": "hinge", "alpha": 1e-4, "rate": 0.03},
    "own_torch": {"epochs": 6, "width": 4, "rate": 0.03},
}


@pytest.fixture(params=POINTS)
def trial(request, tmp_path, monkeypatch):
    """A trained trial: its folder of modules, its point, its outcome and its store."""
    folder = tmp_path / request.param
    shutil.copytree(EXAMPLES / request.param, folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = prepare(load_spec(str(folder / f"{request.param}.yaml"))).spec
    paths = SweepPaths(tmp_path / "results", spec.name)
    paths.folder.mkdir(parents=True)
    keep_modules(spec, paths)
    paths.store.writer("driver").write(SWEEPS, [sweep_row(spec, 2)])
    use_copy(paths.modules)
    point = POINTS[spec.name]
    execution = Execution(threads=1, checkpoint_folder=paths.checkpoints)
    return folder, point, train_trial(spec, paths, 0, point, execution, lambda *_: None), paths


def test_an_example_trains_from_each_seed(trial):
    _, _, outcome, paths = trial
    assert outcome.status == "completed", outcome.error
    results = analysis.load(paths.folder)
    assert len(results.runs) == outcome.seeds_done
    assert set(results.metrics["run_id"]) == set(results.runs["run_id"])


@pytest.mark.parametrize("trial", ["own_function"], indirect=True)
def test_the_script_for_optuna_has_the_same_objective(trial, monkeypatch):
    folder, point, outcome, _ = trial
    monkeypatch.syspath_prepend(folder)
    script = importlib.import_module("with_optuna")
    assert script.objective(optuna.trial.FixedTrial(point)) == pytest.approx(outcome.objective)
