"""A sweep's folder of tables: read by others while it is written, and as older versions left it."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic_store import SyntheticSweep, configuration, write_part

import analysis
from analysis.store.folder_store import FolderStore, open_store
from analysis.store.part_files import checksum
from analysis.store.schema import EPOCHS, EVENTS, RUNS, SWEEPS


def rows(runs: int, epochs: int) -> SyntheticSweep:
    sweep = SyntheticSweep("demo")
    for seed in range(runs):
        sweep.add_run(configuration(), seed, pd.Series(range(epochs, 0, -1)).to_numpy(float))
    return sweep


def tables(store: FolderStore) -> Path:
    return Path(store.folder.path) / "tables"


def test_compacting_changes_no_row(tmp_path):
    sweep = rows(3, 30)
    store = open_store(tmp_path / "demo")
    store.writer("driver").write(SWEEPS, sweep.rows["sweeps"])
    for run in sweep.rows["runs"]:
        writer = store.writer(run["run_id"])
        writer.write(RUNS, [run | {"status": "running"}])
        for row in sweep.rows["epochs"]:
            if row["run_id"] == run["run_id"]:
                writer.write(EPOCHS, [row])
        writer.write(RUNS, [run])
    before = analysis.load(tmp_path)
    kept = {name: getattr(before, name) for name in ("sweeps", "runs", "epochs")}
    store.compact()
    after = analysis.load(tmp_path)
    for name, frame in kept.items():
        pd.testing.assert_frame_equal(getattr(after, name), frame)
    assert after.runs["status"].tolist() == ["completed"] * 3


WRITER = """
import itertools, sys
from analysis.store.folder_store import open_store
from analysis.store.schema import EPOCHS

store = open_store(sys.argv[1] + "/demo")
writer = store.writer("worker")
for epoch in itertools.count(1):
    row = {"sweep": "demo", "run_id": "r", "epoch": epoch, "val_loss": epoch / 7}
    writer.write(EPOCHS, [row])
    print(epoch, flush=True)
    if epoch % 4 == 0:
        store.compact()
    elif epoch % 7 == 0:
        writer.merge()
"""


def test_no_reader_sees_half_a_file_of_a_process_that_is_killed(tmp_path):
    store = open_store(tmp_path / "demo")
    store.writer("driver").write(SWEEPS, rows(1, 1).rows["sweeps"])
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            results = analysis.load(tmp_path)
            seen = results.table("epochs", ["val_loss"])
            assert seen["epoch"].tolist() == list(range(1, len(seen) + 1))
            assert len(seen) >= int(line)
            assert seen["val_loss"].tolist() == [epoch / 7 for epoch in seen["epoch"]]
            assert results.damaged == ()
            if int(line) >= 25:
                process.kill()
                break
    left = analysis.load(tmp_path).epochs
    assert left["epoch"].tolist() == list(range(1, len(left) + 1))
    row = {"sweep": "demo", "run_id": "r", "epoch": len(left) + 1, "val_loss": 0.0}
    store.writer("worker").write(EPOCHS, [row])
    store.compact()
    after = analysis.load(tmp_path)
    pd.testing.assert_frame_equal(after.epochs.iloc[:-1], left)
    assert after.epochs["epoch"].iloc[-1] == len(left) + 1
    assert after.damaged == ()


def test_a_damaged_compacted_table_is_never_written_over(tmp_path):
    sweep = rows(2, 3)
    store = open_store(tmp_path / "demo")
    first, second = sweep.rows["runs"]
    store.writer("a").write(RUNS, [first])
    store.compact()
    whole = tables(store) / "runs.parquet"
    damaged = whole.read_bytes()[:-9]
    whole.write_bytes(damaged)
    store.writer("b").write(RUNS, [second])
    with pytest.warns(analysis.StoreWarning, match=r"left damaged .*runs\.parquet"):
        found = store.compact()
    assert [part.path for part in found] == [str(whole)]
    assert whole.read_bytes() == damaged
    with pytest.warns(analysis.StoreWarning, match="skipped damaged"):
        assert analysis.load(tmp_path).runs["run_id"].tolist() == [second["run_id"]]


@pytest.mark.parametrize("layout", ["one table a part", "several"])
def test_parts_that_an_older_version_wrote_are_compacted_with_new_ones(tmp_path, layout):
    """A column that came later is null in the rows from before it."""
    first, second = rows(2, 3).rows["runs"]
    store = open_store(tmp_path / "demo")
    lacking = {name: value for name, value in first.items() if name not in ("tf32", "device")}
    if layout == "several":
        store.writer("a").write(RUNS, [lacking])
        (older,) = (tables(store) / "parts").iterdir()
        without_columns(older, ["tf32", "device"])
    else:
        older = write_part(tmp_path, "demo", "runs", [lacking], writer="a")
        pq.write_table(pq.read_table(older).drop_columns(["tf32", "device"]), older)
    store.writer("b").write(RUNS, [second])
    for _ in range(2):
        runs = analysis.load(tmp_path).runs.set_index("run_id")
        ids = [first["run_id"], second["run_id"]]
        assert runs.loc[ids, "device"].isna().tolist() == [True, False]
        assert runs.loc[ids, "tf32"].isna().tolist() == [True, False]
        assert runs["seed"].tolist() == [0, 1]
        store.compact()
    assert not older.exists()


def without_columns(part, names):
    whole = pa.ipc.open_stream(part.read_bytes()).read_all()
    rows = pa.Table.from_struct_array(whole["runs"].chunk(0).flatten()).drop_columns(names)
    (structs,) = rows.to_struct_array().chunks
    older = pa.table({"runs": pa.ListArray.from_arrays([0, len(structs)], structs)})
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, older.schema.with_metadata(whole.schema.metadata)) as writer:
        writer.write_table(older)
    part.write_bytes(stream.getvalue().to_pybytes() + checksum(stream.getvalue()))


def test_a_sweep_whose_parts_are_of_both_layouts_is_one_sweep(tmp_path):
    """As one begun by an older version is, and resumed."""
    sweep = rows(1, 4)
    (run,), epochs = sweep.rows["runs"], sweep.rows["epochs"]
    write_part(tmp_path, "demo", "epochs", epochs[:3], 0, writer="r")
    write_part(tmp_path, "demo", "runs", [run | {"status": "running"}], 0, writer="r")
    store = open_store(tmp_path / "demo")
    writer = store.writer("r")
    assert [row["epoch"] for row in store.rows_of_run(EPOCHS, "r")] == [1, 2, 3]
    writer.write_all([(EPOCHS, epochs[3:]), (RUNS, [run])])
    for step in (lambda: None, writer.merge, store.compact):
        step()
        results = analysis.load(tmp_path)
        assert results.epochs["epoch"].tolist() == [1, 2, 3, 4]
        assert results.runs["status"].tolist() == ["completed"]
    assert not [part for part in tables(store).rglob("*/*") if part.is_file()]


def test_an_extension_of_a_sweep_is_read_as_its_event(tmp_path):
    """Verdicts take a stricter level where seeds were added after a look."""
    continuation = pytest.importorskip(
        "sweeps.driver.continuation", reason="needs the extra `sweep`"
    )
    store = open_store(tmp_path / "demo")
    writer = store.writer("driver")
    writer.write(SWEEPS, rows(1, 1).rows["sweeps"])
    writer.write(EVENTS, [continuation._extension("demo", 5, 10)])
    events = analysis.load(tmp_path).events
    assert events["kind"].tolist() == ["extend"]
    assert events["detail"].tolist() == ["from 5 to 10 seeds a trial"]
