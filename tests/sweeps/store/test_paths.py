import subprocess
import sys
import warnings
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis.store.errors import StoreError, StoreWarning
from analysis.store.parts import tables_of
from analysis.store.schema import EPOCHS, EVENTS, RUNS, SWEEPS, TRIALS
from analysis.store.writing import FEW_ROWS
from sweeps.store.paths import PartWriter, SweepPaths, compact, driver_alive, driver_lock


def epoch(run_id: str, number: int, error: float) -> dict:
    return {"sweep": "a", "run_id": run_id, "epoch": number, "val_error_percent": error}


def sweep_at(root: Path) -> SweepPaths:
    paths = SweepPaths(root, "a")
    paths.create()
    PartWriter(paths, "driver").write(SWEEPS, [{"sweep": "a"}])
    return paths


def errors(paths: SweepPaths) -> dict[tuple[str, int], float]:
    frame = analysis.load(paths.folder).epochs
    keys = zip(frame["run_id"].astype(str), frame["epoch"], strict=True)
    return dict(zip(keys, frame["val_error_percent"], strict=True))


def parts(paths: SweepPaths, writer: str = "r") -> list[Path]:
    return sorted((paths.tables / "parts").glob(f"{writer}*"))


def test_rows_are_there_when_write_returns(tmp_path: Path) -> None:
    paths = sweep_at(tmp_path)
    PartWriter(paths, "r1").write(EPOCHS, [epoch("r1", 1, 5.0)])
    assert errors(paths) == {("r1", 1): 5.0}


def test_the_last_row_of_a_key_wins_also_over_a_restarted_writer(tmp_path: Path) -> None:
    paths = sweep_at(tmp_path)
    PartWriter(paths, "r1").write(EPOCHS, [epoch("r1", 1, 5.0), epoch("r1", 2, 4.0)])
    PartWriter(paths, "r1").write(EPOCHS, [epoch("r1", 2, 3.0)])
    assert errors(paths) == {("r1", 1): 5.0, ("r1", 2): 3.0}
    assert len(parts(paths)) == 2


def test_a_new_writer_writes_as_any_other(tmp_path: Path) -> None:
    paths = sweep_at(tmp_path)
    writer = PartWriter(paths, "r1", new=True)
    writer.write_all([(EPOCHS, [epoch("r1", 1, 5.0)]), (RUNS, [{"sweep": "a", "run_id": "r1"}])])
    for number in range(2, 5):
        writer.write(EPOCHS, [epoch("r1", number, 4.0)])
    writer.merge(beyond=4)
    assert len(parts(paths)) == 4
    writer.merge(beyond=3)
    assert [tables_of(str(part)) for part in parts(paths)] == [["runs"], ["epochs"]]
    assert errors(paths) == {("r1", 1): 5.0} | {("r1", number): 4.0 for number in (2, 3, 4)}


@pytest.mark.parametrize("epochs", [3, 2 * FEW_ROWS])
def test_what_is_written_at_once_is_one_file_of_which_all_tables_are_read(
    epochs: int, tmp_path: Path
) -> None:
    paths = sweep_at(tmp_path)
    PartWriter(paths, "r1").write_all(
        [
            (EPOCHS, [epoch("r1", number, 5.0) for number in range(1, epochs + 1)]),
            (EVENTS, []),
            (RUNS, [{"sweep": "a", "run_id": "r1", "status": "completed", "seed": 7}]),
        ]
    )
    assert [part.name for part in parts(paths)] == ["r1-000000.epochs.runs.arrows"]
    results = analysis.load(paths.folder)
    assert list(results.epochs["val_error_percent"]) == [5.0] * epochs
    assert results.runs[["run_id", "status", "seed"]].values.tolist() == [["r1", "completed", 7]]
    assert len(results.events) == 0


def test_a_part_is_deleted_only_once_all_its_tables_are_compacted(tmp_path: Path) -> None:
    paths = sweep_at(tmp_path)
    PartWriter(paths, "r1").write(RUNS, [{"sweep": "a", "run_id": "r1"}])
    compact(paths)
    whole = paths.tables / "runs.parquet"
    whole.write_bytes(whole.read_bytes()[:-9])
    rows = [(EPOCHS, [epoch("r2", 1, 5.0)]), (RUNS, [{"sweep": "a", "run_id": "r2"}])]
    PartWriter(paths, "r2").write_all(rows)
    with pytest.warns(StoreWarning, match=r"left damaged .*runs\.parquet"):
        compact(paths)
    assert len(parts(paths)) == 1
    with pytest.warns(StoreWarning, match=r"skipped damaged .*runs\.parquet"):
        assert errors(paths) == {("r2", 1): 5.0}
    whole.unlink()
    assert list(analysis.load(paths.folder).runs["run_id"]) == ["r2"]
    compact(paths)
    assert parts(paths) == []
    assert errors(paths) == {("r2", 1): 5.0}


def test_merging_and_compacting_change_no_row(tmp_path: Path) -> None:
    paths = sweep_at(tmp_path)
    for run in ("r1", "r2"):
        writer = PartWriter(paths, run)
        for number in range(1, 6):
            writer.write(EPOCHS, [epoch(run, number, 10.0 - number)])
        writer.write(EPOCHS, [epoch(run, 3, 1.0)])
    before = errors(paths)
    PartWriter(paths, "r1").merge()
    assert len(parts(paths, "r1")) == 1
    assert errors(paths) == before
    compact(paths)
    assert parts(paths, "") == []
    assert errors(paths) == before
    PartWriter(paths, "r1").write(EPOCHS, [epoch("r1", 3, 2.0)])
    assert errors(paths) == {**before, ("r1", 3): 2.0}
    compact(paths)
    assert errors(paths) == {**before, ("r1", 3): 2.0}


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["r1", "r2"]),
            st.lists(st.tuples(st.integers(1, 4), st.floats(0, 100)), min_size=1, max_size=4),
            st.sampled_from(["write", "write", "merge", "compact"]),
        ),
        max_size=8,
    )
)
def test_any_order_of_writing_merging_and_compacting_reads_as_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, steps: list
) -> None:
    paths = sweep_at(tmp_path_factory.mktemp("store"))
    expected: dict[tuple[str, int], float] = {}
    for run, rows, action in steps:
        writer = PartWriter(paths, run)
        writer.write(EPOCHS, [epoch(run, number, error) for number, error in rows])
        expected |= {(run, number): error for number, error in rows}
        if action == "merge":
            writer.merge()
        elif action == "compact":
            compact(paths)
    assert errors(paths) == expected


def test_an_end_outlasts_interrupts_that_others_noted_before_and_after(tmp_path: Path) -> None:
    paths = sweep_at(tmp_path)
    driver, run = PartWriter(paths, "driver"), PartWriter(paths, "r1")

    def note(writer: PartWriter, run_id: str, status: str) -> None:
        row = {"sweep": "a", "run_id": run_id, "trial": 0, "seed": 0, "status": status}
        writer.write(RUNS, [row])

    note(run, "r1", "running")
    note(driver, "r1", "interrupted")
    note(run, "r1", "completed")
    run.merge()
    note(driver, "r2", "interrupted")
    expected = {"r1": "completed", "r2": "interrupted"}
    for _ in range(2):
        runs = analysis.load(paths.folder).runs
        assert dict(zip(runs["run_id"].astype(str), runs["status"].astype(str), strict=True)) == (
            expected
        )
        compact(paths)


def test_a_half_written_file_is_never_read(tmp_path: Path) -> None:
    paths = sweep_at(tmp_path)
    PartWriter(paths, "r1").write(EPOCHS, [epoch("r1", 1, 5.0)])
    (whole,) = parts(paths)
    whole.with_name(".r1-000001.epochs.arrows.99").write_bytes(whole.read_bytes()[:100])
    assert errors(paths) == {("r1", 1): 5.0}
    PartWriter(paths, "r1").write(EPOCHS, [epoch("r1", 2, 4.0)])
    compact(paths)
    assert errors(paths) == {("r1", 1): 5.0, ("r1", 2): 4.0}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_a_damaged_part_is_named_and_nothing_else_is_lost(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int, cut: bool
) -> None:
    paths = sweep_at(tmp_path_factory.mktemp("damaged"))
    PartWriter(paths, "r1").write(EPOCHS, [epoch("r1", 1, 5.0)])
    PartWriter(paths, "r2").write(EPOCHS, [epoch("r2", 1, 4.0)])
    damaged, _ = parts(paths)
    content = bytearray(damaged.read_bytes())
    content[place % len(content)] ^= change
    damaged.write_bytes(content[: place % len(content)] if cut else content)
    results = analysis.load(paths.folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        found = results.epochs
    assert 4.0 in set(found["val_error_percent"])
    assert [part.path for part in results.damaged] == [str(damaged)]
    assert len(found) == 1


def test_files_carry_version_and_units(tmp_path: Path) -> None:
    paths = sweep_at(tmp_path)
    compact(paths)
    schema = pq.read_schema(paths.tables / "sweeps.parquet")
    assert schema.metadata[b"schema_version"] == b"1"
    assert int(schema.metadata[b"written_at"]) > 1.7e18
    assert schema.names == SWEEPS.schema.names


@pytest.mark.parametrize("table", [RUNS, TRIALS, EPOCHS])
def test_every_column_says_what_it_means(table) -> None:
    for field in table.schema:
        assert len(field.metadata[b"description"]) > 2, field.name


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    SweepPaths(tmp_path, "a").create()
    with pytest.raises(StoreError, match=r"the name 'a' is taken.*--name"):
        SweepPaths(tmp_path, "a").create()


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write to the results folder"):
        SweepPaths(tmp_path / "file", "a").create()


def test_a_crashed_driver_loses_its_lock(tmp_path: Path) -> None:
    paths = sweep_at(tmp_path)
    code = (
        "import sys, time; from pathlib import Path; from sweeps.store.paths import *\n"
        f"with driver_lock(SweepPaths(Path({str(tmp_path)!r}), 'a')):\n"
        "    print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert driver_alive(paths)
        with pytest.raises(StoreError, match="run by another process"), driver_lock(paths):
            pass
        other.kill()
    assert not driver_alive(paths)
    with driver_lock(paths):
        assert driver_alive(paths)
