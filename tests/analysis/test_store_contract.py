"""The reader against the writer: what `sweeps.store` writes, merges and compacts."""

import threading

import pandas as pd
import pytest
from synthetic_store import SyntheticSweep, configuration

import analysis
from analysis.schema import EPOCHS, EVENTS, RUNS, SWEEPS

store = pytest.importorskip("sweeps.store", reason="the writer needs the extra `sweep`")


def rows(runs: int, epochs: int) -> SyntheticSweep:
    sweep = SyntheticSweep("demo")
    for seed in range(runs):
        sweep.add_run(configuration(), seed, pd.Series(range(epochs, 0, -1)).to_numpy(float))
    return sweep


def test_compacting_changes_no_row(tmp_path):
    sweep = rows(3, 30)
    paths = store.SweepPaths(tmp_path, "demo")
    store.PartWriter(paths, "driver").write(SWEEPS, sweep.rows["sweeps"])
    for run in sweep.rows["runs"]:
        writer = store.PartWriter(paths, run["run_id"])
        writer.write(RUNS, [run | {"status": "running"}])
        for row in sweep.rows["epochs"]:
            if row["run_id"] == run["run_id"]:
                writer.write(EPOCHS, [row])
        writer.write(RUNS, [run])
    before = analysis.load(tmp_path)
    kept = {name: getattr(before, name) for name in ("sweeps", "runs", "epochs")}
    store.compact(paths)
    after = analysis.load(tmp_path)
    for name, frame in kept.items():
        pd.testing.assert_frame_equal(getattr(after, name), frame)
    assert after.runs["status"].tolist() == ["completed"] * 3


def test_a_reader_sees_every_row_while_parts_are_written_and_compacted(tmp_path):
    """Each reading has at least the rows that were durable before it began."""
    sweep = rows(1, 30)
    paths = store.SweepPaths(tmp_path, "demo")
    writer = store.PartWriter(paths, "worker")
    written, failure = [0], []

    def write() -> None:
        try:
            for number, row in enumerate(sweep.rows["epochs"], start=1):
                writer.write(EPOCHS, [row])
                written[0] = number
                if number % 5 == 0:
                    store.compact(paths)
        except Exception as error:
            failure.append(error)

    writer.write(RUNS, sweep.rows["runs"])
    thread = threading.Thread(target=write)
    thread.start()
    readings = 0
    while thread.is_alive():
        durable = written[0]
        seen = analysis.load(tmp_path).table("epochs", ["val_error_percent"])
        assert len(seen) >= durable
        assert seen["epoch"].tolist() == list(range(1, len(seen) + 1))
        readings += 1
    thread.join()
    assert not failure
    assert readings > 2
    assert len(analysis.load(tmp_path).epochs) == 30


def test_an_extension_of_a_sweep_is_read_as_its_event(tmp_path):
    """Verdicts take a stricter level where seeds were added after a look."""
    continuation = pytest.importorskip("sweeps.continuation", reason="needs the extra `sweep`")
    paths = store.SweepPaths(tmp_path, "demo")
    writer = store.PartWriter(paths, "driver")
    writer.write(SWEEPS, rows(1, 1).rows["sweeps"])
    writer.write(EVENTS, [continuation._extension("demo", 10)])
    events = analysis.load(tmp_path).events
    assert events["kind"].tolist() == ["extend"]
    assert events["detail"].tolist() == ["10 seeds a trial"]
