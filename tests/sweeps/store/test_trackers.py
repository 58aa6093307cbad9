"""What trackers are given of a sweep; those that are not installed are skipped."""

import json
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

import analysis
from analysis.store.schema import EPOCHS, METRICS, RUNS, SWEEPS
from sweeps.extras import NotInstalledError
from sweeps.store.paths import SweepPaths
from sweeps.store.trackers import TRACKERS, track, tracked_runs
from trainers import IDENTITY_VERSION

NOW = datetime(2026, 1, 5, tzinfo=UTC)
SETTINGS = {"function": {"name": "mine:train", "code": "0"}, "settings": {"rate": 0.1, "kind": "a"}}
NETWORK = {"network": {"name": "lenet5"}, "recipe": {"betas": [0.9, 0.99], "flip": None}}


@pytest.fixture
def paths(tmp_path: Path) -> SweepPaths:
    """Two runs that ended, of a function and of a network, and one that still trains."""
    paths = SweepPaths(tmp_path, "mine")
    paths.create()
    runs = [
        {
            "sweep": "mine",
            "run_id": f"{number:016x}-s0",
            "trial": number,
            "seed": 0,
            "status": status,
            "config_json": json.dumps(config),
            "identity_version": IDENTITY_VERSION,
            "started_at": NOW,
        }
        for number, (status, config) in enumerate(
            [("completed", SETTINGS), ("diverged", NETWORK), ("running", SETTINGS)]
        )
    ]
    key = {"sweep": "mine"}
    first, second, _ = (run["run_id"] for run in runs)
    metrics = [
        {**key, "run_id": first, "epoch": epoch, "name": "loss, mean", "value": 1.0 / epoch}
        for epoch in (1, 2)
    ]
    epochs = [{**key, "run_id": second, "epoch": 1, "val_error_percent": 9.0, "train_loss": None}]
    sweep = {**key, "created_at": NOW, "spec_json": "{}"}
    paths.store.writer("driver").write_all(
        [(SWEEPS, [sweep]), (RUNS, runs), (METRICS, metrics), (EPOCHS, epochs)]
    )
    return paths


def test_runs_that_ended_have_their_configuration_and_every_number(paths: SweepPaths) -> None:
    first, second = tracked_runs(analysis.load(paths.folder))
    assert first.parameters == {"rate": 0.1, "kind": "a"}
    assert first.steps == {1: {"loss, mean": 1.0}, 2: {"loss, mean": 0.5}}
    assert second.parameters == {"network.name": "lenet5", "recipe.betas": "[0.9, 0.99]"}
    assert second.steps == {1: {"val_error_percent": 9.0}}
    assert second.name == "trial 1, seed 0"


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_run_is_written_once(
    paths: SweepPaths, tracker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboardX" if tracker == "tensorboard" else tracker)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    results = analysis.load(paths.folder)
    assert [track(paths, results, tracker).runs for _ in range(2)] == [2, 0]


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_tracker_that_is_not_installed_is_named_with_its_extra(
    paths: SweepPaths, tracker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "tensorboardX" if tracker == "tensorboard" else tracker
    monkeypatch.setitem(__import__("sys").modules, module, None)
    message = rf"needs {module}, which is not installed: pip install 'polyneuron-sweeps\[{tracker}"
    with pytest.raises(NotInstalledError, match=message):
        track(paths, analysis.load(paths.folder), tracker)
    assert {one.name for one in paths.folder.iterdir()} == {"tables"}


def test_mlflow_has_parameters_epochs_and_ends(
    paths: SweepPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_of = pytest.importorskip("mlflow.tracking").MlflowClient
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    written = track(paths, analysis.load(paths.folder), "mlflow")
    place = f"sqlite:///{paths.folder}/mlflow/mlflow.db"
    assert written.hint == f"mlflow ui --backend-store-uri {place}"
    client = client_of(tracking_uri=place)
    found = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    by_name = {run.info.run_name: run for run in found}
    first, second = by_name["trial 0, seed 0"], by_name["trial 1, seed 0"]
    assert first.data.params == {"rate": "0.1", "kind": "a", "seed": "0"}
    history = client.get_metric_history(first.info.run_id, "loss_ mean")
    assert [(one.step, one.value) for one in history] == [(1, 1.0), (2, 0.5)]
    assert (first.info.status, second.info.status) == ("FINISHED", "FAILED")


def test_tensorboard_has_parameters_beside_the_epochs(paths: SweepPaths) -> None:
    pytest.importorskip("tensorboardX")
    track(paths, analysis.load(paths.folder), "tensorboard")
    folder = paths.tensorboard / "trial-0000-seed-0"
    (scalars,) = folder.glob("events.*")
    assert scalars.read_bytes().count(b"loss__mean") == 2
    (parameters,) = (folder / "parameters").glob("events.*")
    content = parameters.read_bytes()
    assert b"rate" in content
    assert struct.pack("<d", 0.1) in content


def test_wandb_writes_a_run_of_this_machine_alone(paths: SweepPaths) -> None:
    pytest.importorskip("wandb")
    written = track(paths, analysis.load(paths.folder), "wandb")
    folders = list((paths.folder / "wandb" / "wandb").glob("offline-run-*"))
    assert len(folders) == 2
    assert written.hint == f"wandb sync {paths.folder}/wandb/wandb/offline-run-*"
    (content,) = (file.read_bytes() for file in folders[0].parent.glob("*-0*0-s0/*.wandb"))
    assert b"loss, mean" in content
