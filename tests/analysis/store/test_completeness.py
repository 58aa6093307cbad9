"""Rows that are lost are named, whether a file that cannot be read shows it or nothing does."""

from pathlib import Path

import numpy as np
import pytest
from synthetic_store import SyntheticSweep, configuration, learning_curve

import analysis
from analysis.store.errors import StoreWarning
from analysis.store.folder_store import FolderStore, open_store
from analysis.store.schema import EPOCHS, RUNS, SWEEPS, TRIALS

EPOCHS_A_RUN = 5


def written(root: Path) -> tuple[FolderStore, list[str]]:
    """A sweep of two trials as its workers write it: a part an epoch, the last with the end."""
    sweep = SyntheticSweep("demo")
    rng = np.random.default_rng(0)
    for activation in ("relu", "swish"):
        config = configuration(activation=activation, epochs=EPOCHS_A_RUN)
        sweep.add_run(config, 0, learning_curve(2, EPOCHS_A_RUN, rng))
    sweep.add_trials(["activation"])
    store = open_store(root / "demo")
    store.writer("driver").write(SWEEPS, sweep.rows["sweeps"])
    for run in sweep.rows["runs"]:
        writer = store.writer(run["run_id"])
        epochs = [row for row in sweep.rows["epochs"] if row["run_id"] == run["run_id"]]
        for row in epochs[:-1]:
            writer.write(EPOCHS, [row])
        writer.write_all([(EPOCHS, epochs[-1:]), (RUNS, [run])])
    store.writer("driver").write(TRIALS, sweep.rows["trials"])
    return store, [run["run_id"] for run in sweep.rows["runs"]]


def found(root: Path) -> list[str]:
    results = analysis.load(root)
    if not results.verified:
        assert results.damaged
    return [f"{Path(one.path).name}: {one.reason}" for one in results.damaged]


def test_a_whole_store_is_whole_in_every_form(tmp_path: Path) -> None:
    store, runs = written(tmp_path)
    for change in (lambda: None, store.writer(runs[0]).merge, store.compact, lambda: None):
        change()
        assert found(tmp_path) == []


@pytest.mark.filterwarnings("ignore::analysis.StoreWarning")
@pytest.mark.parametrize("number", range(EPOCHS_A_RUN))
def test_each_part_that_is_gone_is_named_before_and_after_compaction(
    number: int, tmp_path: Path
) -> None:
    store, (run, _) = written(tmp_path)
    (part,) = (tmp_path / "demo" / "tables" / "parts").glob(f"{run}-{number:06d}.*")
    part.unlink()
    store.writer(run).merge()
    for _ in range(2):
        named = found(tmp_path)
        if number == EPOCHS_A_RUN - 1:  # with the last part goes the run's end
            assert named == ["trial 0: has 0 of its 1 completed runs"]
        else:
            assert f"{run}: has 4 of its 5 epochs" in named
        if 0 < number < EPOCHS_A_RUN - 1:
            gap = f"{run}-{number:06d}: is missing between other parts of its writer, and its rows"
            assert f"{gap} with it" in named
        store.compact()


def test_a_loss_is_a_warning_and_stands_in_the_report(tmp_path: Path) -> None:
    store, (run, _) = written(tmp_path)
    store.compact()
    whole = analysis.load(tmp_path).epochs
    lost = whole[(whole["run_id"] != run) | (whole["epoch"] != 3)]
    (tmp_path / "demo" / "tables" / "epochs.parquet").unlink()
    store.writer("again").write(EPOCHS, lost.to_dict("records"))
    results = analysis.load(tmp_path)
    with pytest.warns(StoreWarning, match=f"^demo/{run}: has 4 of its 5 epochs"):
        _ = results.epochs
    paths = analysis.report(results, tmp_path / "report")
    text = next(path for path in paths if path.suffix == ".md").read_text("utf-8")
    assert "has 4 of its 5 epochs" in text
    assert "left out" not in text


def test_a_run_is_looked_for_in_a_damaged_compacted_table(tmp_path: Path) -> None:
    store, (run, _) = written(tmp_path)
    store.compact()
    whole = tmp_path / "demo" / "tables" / "runs.parquet"
    for content in (whole.read_bytes()[:-9], b"", b"nothing of the kind"):
        whole.write_bytes(content)
        with pytest.warns(StoreWarning, match=r"skipped damaged .*runs\.parquet"):
            assert store.row_of_run(run) is None
        with pytest.warns(StoreWarning, match=r"skipped damaged .*runs\.parquet"):
            assert not store.has_run(run)
        assert whole.read_bytes() == content
