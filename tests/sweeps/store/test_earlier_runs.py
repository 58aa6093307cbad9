"""A sweep of identity version 1 is resumed with its own runs."""

import json
import shutil
from pathlib import Path

import pytest

import analysis
from analysis.store.schema import RUNS, SWEEPS
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import configure
from sweeps.spec.sections import SweepSpec
from sweeps.store.earlier_runs import under_stored_id
from sweeps.store.paths import SweepPaths
from sweeps.workers.trial import train_trial
from trainers import EpochRecord, Execution, RunConfig, RunStopped

OLD = "0123456789abcdef-s0"


def spec_of(name: str) -> SweepSpec:
    return parse_spec(
        {
            "name": name,
            "data": {"name": "digits", "train_images": 64},
            "recipe": {"epochs": 3},
            "activation": {"name": "relu"},
            "search": "grid",
            "seeds": 1,
        }
    )


@pytest.fixture
def interrupted(tmp_path: Path) -> SweepPaths:
    """A sweep as version 1 left it, whose run was stopped after an epoch."""
    paths = SweepPaths(tmp_path, "old")
    paths.create()
    spec = spec_of("old")
    paths.store.writer("driver").write(SWEEPS, [{"sweep": "old"}])

    def stop(_: int, record: EpochRecord, __: str) -> None:
        raise RunStopped("interrupted")

    execution = Execution(threads=1, checkpoint_folder=paths.checkpoints)
    train_trial(spec, paths, 0, {}, execution, stop, fresh=True)
    (row,) = analysis.load(paths.folder).runs.to_dict("records")
    (folder,) = paths.checkpoints.iterdir()
    shutil.move(folder, paths.checkpoints / OLD)
    shutil.rmtree(paths.tables)
    paths.tables.mkdir()
    paths.store.writer("driver").write(SWEEPS, [{"sweep": "old"}])
    config = configure(spec, {})
    # Version 1 wrote a penalty that ReLU has not, and no version.
    text = json.loads(json.dumps(config.canonical()))
    text["recipe"] |= {"lambda_sum": 0.5, "drop_at": [2 / 3, 5 / 6]}
    old = {
        **{"sweep": "old", "run_id": OLD, "config_id": OLD[:16], "trial": 0, "seed": 0},
        **{"config_json": json.dumps(text), "status": "interrupted"},
        "started_at": row["started_at"],
    }
    paths.store.writer(OLD).write(RUNS, [old])
    return paths


def test_an_interrupted_run_goes_on_from_its_checkpoint_under_its_own_id(
    interrupted: SweepPaths,
) -> None:
    spec = spec_of("old")
    execution = Execution(threads=1, checkpoint_folder=interrupted.checkpoints)
    outcome = train_trial(spec, interrupted, 0, {}, execution, lambda *_: None)
    assert outcome.status == "completed"
    results = analysis.load(interrupted.folder)
    (row,) = results.runs.to_dict("records")
    assert (row["run_id"], row["status"]) == (OLD, "completed")
    assert row["config_id"] == configure(spec, {}).config_id
    assert "restore" in set(results.events["kind"])
    assert [folder.name for folder in interrupted.checkpoints.iterdir()] == [OLD]
    # A second resume finds it ended.
    epochs = len(results.epochs)
    train_trial(spec, interrupted, 0, {}, execution, lambda *_: None)
    assert len(analysis.load(interrupted.folder).epochs) == epochs


def test_runs_of_today_keep_the_id_that_follows_from_them(interrupted: SweepPaths) -> None:
    config = RunConfig.of(configure(spec_of("old"), {}), seed=1)
    assert under_stored_id(config, interrupted) is config
