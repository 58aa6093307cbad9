"""A run that some sweep under the root has finished is taken over, not trained again."""

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import analysis
from analysis.store.folder_store import FolderStore
from analysis.store.schema import SCHEMA_VERSION, SWEEPS
from sweeps.search.open_trials import TrialOutcome
from sweeps.spec.reading import bundled_names, load_spec, parse_spec
from sweeps.spec.search_space import Params, configure, grid
from sweeps.spec.sections import SweepSpec
from sweeps.store import provenance, reuse
from sweeps.store.paths import SweepPaths
from sweeps.workers import trial
from sweeps.workers.trial import train_trial
from trainers import Execution

RESULTS = ["run_id", "seed", "status", "epochs_done", "last_val_error_percent", "started_at"]
TIMES = ["train_seconds", "epoch_seconds", "code_version", "data_sha256"]


def spec_of(name: str, **more: object) -> SweepSpec:
    raw = {
        "name": name,
        "data": {"name": "digits", "train_images": 64},
        "recipe": {"epochs": 2},
        "activation": "polyneuron_r",
        "search": "grid",
        "seeds": 2,
        **more,
    }
    return parse_spec(raw)


def run(root: Path, spec: SweepSpec, number: int = 0, params: Params | None = None) -> TrialOutcome:
    paths = SweepPaths(root, spec.name)
    paths.folder.mkdir(parents=True, exist_ok=True)
    paths.store.writer("driver").write(SWEEPS, [{"sweep": spec.name, "purpose": spec.purpose}])
    execution = Execution(threads=1, checkpoint_folder=paths.checkpoints)
    return train_trial(spec, paths, number, params or {}, execution, lambda *_: None)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs that were really trained."""
    names: list[str] = []
    train = trial.train

    def noted(config, **options):
        names.append(config.run_id)
        return train(config, **options)

    monkeypatch.setattr(trial, "train", noted)
    return names


@pytest.mark.parametrize("compacted", [False, True])
def test_a_finished_run_of_another_sweep_is_not_trained_again(
    tmp_path: Path, trained: list[str], compacted: bool
) -> None:
    first = run(tmp_path, spec_of("first"))
    if compacted:
        SweepPaths(tmp_path, "first").store.compact()
    more = run(tmp_path, spec_of("second", seeds=3), number=7)
    assert len(trained) == len(set(trained)) == 3
    assert (first.seeds_done, more.seeds_done) == (2, 3)
    one, other = analysis.load(tmp_path / "first"), analysis.load(tmp_path / "second")
    both = other.runs[other.runs["seed"] < 2]
    pd.testing.assert_frame_equal(
        one.runs[RESULTS + TIMES].astype(object), both[RESULTS + TIMES].astype(object)
    )
    assert set(both["reused_from"]) == {"first"}
    assert set(both["trial"]) == {7}
    assert other.runs.loc[other.runs["seed"] == 2, "reused_from"].isna().all()
    for table in ("epochs", "functions", "predictions", "events"):
        mine, theirs = getattr(one, table), getattr(other, table)
        theirs = theirs[theirs["run_id"].astype(str).isin(mine["run_id"].astype(str))]
        assert len(mine) == len(theirs) > 0
    assert set(both["purpose"]) == {"exploratory"}
    assert other.runs.loc[other.runs["seed"] == 2, "purpose"].isna().all()
    # Of what a third sweep takes from the second, the first is named: it did the work.
    run(tmp_path, spec_of("third", seeds=[0, 1, 2], purpose="confirmatory"))
    assert len(trained) == 3
    third = analysis.load(tmp_path / "third").runs
    assert set(third["purpose"]) == {"exploratory"}
    assert list(third.sort_values("seed")["reused_from"]) == ["first", "first", "second"]


@pytest.mark.parametrize(
    "changed",
    [
        {"recipe": {"epochs": 3}},
        {"seeds": [2, 3]},
        {"data": {"name": "digits", "train_images": 65}},
    ],
)
def test_another_configuration_or_seed_is_another_run(
    tmp_path: Path, trained: list[str], changed: dict
) -> None:
    run(tmp_path, spec_of("first"))
    run(tmp_path, spec_of("second", **changed))
    assert len(set(trained)) == len(trained) == 4


@pytest.mark.parametrize("what", ["code_version", "data_sha256"])
def test_other_code_or_data_makes_another_run(
    tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    run(tmp_path, spec_of("first", seeds=1))
    if what == "code_version":
        monkeypatch.setattr(reuse, "code_version", lambda: "0.0.1+other")
    else:
        find = FolderStore.rows_of_run
        monkeypatch.setattr(
            FolderStore, "rows_of_run", lambda *a: [{**row, what: "other"} for row in find(*a)]
        )
    run(tmp_path, spec_of("second", seeds=1))
    assert len(trained) == 2


def test_a_sweep_that_a_newer_version_wrote_is_passed_by(
    tmp_path: Path, trained: list[str]
) -> None:
    """Each trial of a sweep beside it ended as an error."""
    run(tmp_path, spec_of("first"))
    paths = SweepPaths(tmp_path, "first")
    paths.store.compact()
    for path in paths.folder.rglob("runs.parquet"):
        table = pq.read_table(path)
        newer = {**table.schema.metadata, b"schema_version": str(SCHEMA_VERSION + 1).encode()}
        pq.write_table(table.replace_schema_metadata(newer), path)
    with pytest.raises(analysis.StoreError, match="schema version"):
        _ = analysis.load(tmp_path, ["first"]).runs
    assert run(tmp_path, spec_of("second")).status == "completed"
    assert len(trained) == 4


def test_an_interrupted_run_is_not_taken_over(tmp_path: Path, trained: list[str]) -> None:
    from trainers import RunStopped

    spec, paths = spec_of("first", seeds=1), SweepPaths(tmp_path, "first")
    paths.create()
    paths.store.writer("driver").write(SWEEPS, [{"sweep": "first"}])

    def stop(*_: object) -> None:
        raise RunStopped("interrupted")

    execution = Execution(threads=1, checkpoint_folder=paths.checkpoints)
    assert train_trial(spec, paths, 0, {}, execution, stop).status == "interrupted"
    assert run(tmp_path, spec_of("second", seeds=1)).status == "completed"
    assert len(trained) == 2


SHARED = ["table1_lenet5", "relaxed_sk", "lr_sensitivity"]
SHARED += [name for name in bundled_names() if name.startswith("ablation_")]


def test_bundled_sweeps_train_what_they_have_in_common_once(
    tmp_path: Path, trained: list[str]
) -> None:
    """On a few digits; of what a sweep has alone one configuration, so that it takes seconds."""
    small = ["data={name: digits, train_images: 32}", "recipe.epochs=1", "seeds=1"]
    specs = {name: load_spec(name, small) for name in SHARED}
    points = {
        name: {configure(spec, point).config_id: point for point in grid(spec)}
        for name, spec in specs.items()
    }
    counts = Counter(config_id for known in points.values() for config_id in known)
    wanted: set[str] = set()
    for name, spec in specs.items():
        alone = [config_id for config_id in points[name] if counts[config_id] == 1][:1]
        chosen = [config_id for config_id in points[name] if counts[config_id] > 1] + alone
        assert name == "table1_lenet5" or set(chosen) & set(points["table1_lenet5"])
        for number, config_id in enumerate(chosen):
            assert run(tmp_path, spec, number, points[name][config_id]).status.reproducible
        assert set(analysis.load(tmp_path / name).runs["config_id"]) == set(chosen)
        wanted |= set(chosen)
    assert sorted(trained) == sorted(f"{config_id}-s0" for config_id in wanted)


def test_the_code_version_tells_files_apart() -> None:
    files = provenance.code_files()
    assert {"trainers/loop.py", "polyneuron/basis.py"} <= set(files)
    assert not [name for name in files if name.startswith(("sweeps", "analysis"))]
    assert json.dumps(files) != json.dumps({**files, "trainers/loop.py": "0"})


@pytest.mark.parametrize(
    ("first", "second"), [("timing", "confirmatory"), ("confirmatory", "timing")]
)
def test_a_timing_sweep_takes_over_nothing_and_is_taken_over_by_nothing(
    tmp_path: Path, trained: list[str], first: str, second: str
) -> None:
    for purpose in (first, second):
        spec = spec_of(purpose, purpose=purpose, seeds=5)
        for number, params in enumerate(grid(spec)[:1]):
            assert run(tmp_path, spec, number, params).status == "completed"
    shared = [name for name, count in Counter(trained).items() if count == 2]
    assert len(shared) == 1
    assert analysis.load(tmp_path).runs["reused_from"].isna().all()
