"""The examples of networks and data of one's own: each trial trains, alike when repeated."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import analysis
from analysis.store.schema import SWEEPS
from sweeps.driver.preparation import keep_modules, prepare, stored_spec
from sweeps.spec.own_modules import use_copy
from sweeps.spec.reading import load_spec
from sweeps.store.paths import SweepPaths
from sweeps.workers.trial import train_trial
from trainers import Execution, RunStopped

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

POINTS = {
    "own_network": {"activation": "polyneuron_r", "network.width": 16, "learning_rate": 3e-3},
    "image_folder": {"activation": "polyneuron_r"},
    "resnet18": {"activation": "swish"},
}


@pytest.fixture
def example(request, tmp_path):
    """A copy of an example's folder, and its specification."""
    folder = tmp_path / request.param
    shutil.copytree(EXAMPLES / request.param, folder)
    for script in folder.glob("write_*.py"):
        subprocess.run([sys.executable, script], check=True)
    return folder / f"{request.param}.yaml"


def opened(path, root):
    spec = prepare(load_spec(str(path))).spec
    paths = SweepPaths(root, spec.name)
    paths.folder.mkdir(parents=True)
    paths.spec.write_text(spec.to_json())
    keep_modules(spec, paths)
    paths.store.writer("driver").write(SWEEPS, [{"sweep": spec.name}])
    return spec, paths


def trained(spec, paths, on_epoch=lambda *_: None):
    use_copy(paths.modules)
    execution = Execution(threads=1, checkpoint_folder=paths.checkpoints)
    return train_trial(spec, paths, 0, POINTS[spec.name], execution, on_epoch)


@pytest.mark.parametrize("example", POINTS, indirect=True)
def test_an_example_trains_from_each_seed(example, tmp_path):
    spec, paths = opened(example, tmp_path / "results")
    outcome = trained(spec, paths)
    assert (outcome.status, outcome.seeds_done) == ("completed", len(spec.seeds)), outcome.error
    runs = analysis.load(paths.folder).runs
    assert set(runs["benchmark"]) == {spec.benchmark}
    assert (runs["activation_functions"] > 0).all()


@pytest.mark.parametrize("example", ["own_network"], indirect=True)
def test_a_stopped_trial_goes_on_with_the_code_that_it_began_with(example, tmp_path):
    """Even if the user's module is edited meanwhile, or gone."""

    def stop(seed_index, record, warning):
        if seed_index == 1 and record.epoch == 2:
            raise RunStopped("interrupted")

    spec, paths = opened(example, tmp_path / "stopped")
    assert trained(spec, paths, stop).status == "interrupted"
    (example.parent / "my_models.py").write_text("def mlp(*_, **__): raise ValueError('edited')\n")
    resumed = stored_spec(paths)
    assert resumed == spec
    went_on = trained(resumed, paths)
    shutil.copytree(EXAMPLES / "own_network", example.parent, dirs_exist_ok=True)
    whole = trained(*opened(example, tmp_path / "whole"))
    assert went_on.status == whole.status == "completed"
    assert went_on.objective == whole.objective
