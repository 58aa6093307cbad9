"""The parts that writers leave in a folder: their names, their merging and their damage."""

import warnings
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis.store.errors import StoreWarning
from analysis.store.folder_store import FolderStore, open_store
from analysis.store.layout import tables_of
from analysis.store.part_files import FEW_ROWS
from analysis.store.schema import EPOCHS, EVENTS, RUNS, SCHEMA_VERSION, SWEEPS


def epoch(run_id: str, number: int, error: float) -> dict:
    return {"sweep": "a", "run_id": run_id, "epoch": number, "val_error_percent": error}


def sweep_at(root: Path) -> FolderStore:
    store = open_store(root / "a")
    store.writer("driver").write(SWEEPS, [{"sweep": "a"}])
    return store


def errors(store: FolderStore) -> dict[tuple[str, int], float]:
    frame = analysis.load(store.folder.path).epochs
    keys = zip(frame["run_id"].astype(str), frame["epoch"], strict=True)
    return dict(zip(keys, frame["val_error_percent"], strict=True))


def tables(store: FolderStore) -> Path:
    return Path(store.folder.path) / "tables"


def parts(store: FolderStore, writer: str = "r") -> list[Path]:
    return sorted((tables(store) / "parts").glob(f"{writer}*"))


def test_a_new_writer_writes_as_any_other(tmp_path: Path) -> None:
    store = sweep_at(tmp_path)
    writer = store.writer("r1", new=True)
    writer.write_all([(EPOCHS, [epoch("r1", 1, 5.0)]), (RUNS, [{"sweep": "a", "run_id": "r1"}])])
    for number in range(2, 5):
        writer.write(EPOCHS, [epoch("r1", number, 4.0)])
    writer.merge(beyond=4)
    assert len(parts(store)) == 4
    writer.merge(beyond=3)
    assert [tables_of(str(part)) for part in parts(store)] == [["runs"], ["epochs"]]
    assert errors(store) == {("r1", 1): 5.0} | {("r1", number): 4.0 for number in (2, 3, 4)}


@pytest.mark.parametrize("epochs", [3, 2 * FEW_ROWS])
def test_what_is_written_at_once_is_one_file_of_which_all_tables_are_read(
    epochs: int, tmp_path: Path
) -> None:
    store = sweep_at(tmp_path)
    store.writer("r1").write_all(
        [
            (EPOCHS, [epoch("r1", number, 5.0) for number in range(1, epochs + 1)]),
            (EVENTS, []),
            (RUNS, [{"sweep": "a", "run_id": "r1", "status": "completed", "seed": 7}]),
        ]
    )
    assert [part.name for part in parts(store)] == ["r1-000000.epochs.runs.arrows"]
    results = analysis.load(store.folder.path)
    assert list(results.epochs["val_error_percent"]) == [5.0] * epochs
    assert results.runs[["run_id", "status", "seed"]].values.tolist() == [["r1", "completed", 7]]
    assert len(results.events) == 0


def test_a_part_is_deleted_only_once_all_its_tables_are_compacted(tmp_path: Path) -> None:
    store = sweep_at(tmp_path)
    store.writer("r1").write(RUNS, [{"sweep": "a", "run_id": "r1"}])
    store.compact()
    whole = tables(store) / "runs.parquet"
    whole.write_bytes(whole.read_bytes()[:-9])
    rows = [(EPOCHS, [epoch("r2", 1, 5.0)]), (RUNS, [{"sweep": "a", "run_id": "r2"}])]
    store.writer("r2").write_all(rows)
    with pytest.warns(StoreWarning, match=r"left damaged .*runs\.parquet"):
        store.compact()
    assert len(parts(store)) == 1
    with pytest.warns(StoreWarning, match=r"skipped damaged .*runs\.parquet"):
        assert errors(store) == {("r2", 1): 5.0}
    whole.unlink()
    assert list(analysis.load(store.folder.path).runs["run_id"]) == ["r2"]
    store.compact()
    assert parts(store) == []
    assert errors(store) == {("r2", 1): 5.0}


def test_merging_and_compacting_change_no_row(tmp_path: Path) -> None:
    store = sweep_at(tmp_path)
    for run in ("r1", "r2"):
        writer = store.writer(run)
        for number in range(1, 6):
            writer.write(EPOCHS, [epoch(run, number, 10.0 - number)])
        writer.write(EPOCHS, [epoch(run, 3, 1.0)])
    before = errors(store)
    store.writer("r1").merge()
    assert len(parts(store, "r1")) == 1
    assert errors(store) == before
    store.compact()
    assert parts(store, "") == []
    assert errors(store) == before
    store.writer("r1").write(EPOCHS, [epoch("r1", 3, 2.0)])
    assert errors(store) == {**before, ("r1", 3): 2.0}
    store.compact()
    assert errors(store) == {**before, ("r1", 3): 2.0}


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
    store = sweep_at(tmp_path_factory.mktemp("store"))
    expected: dict[tuple[str, int], float] = {}
    for run, rows, action in steps:
        writer = store.writer(run)
        writer.write(EPOCHS, [epoch(run, number, error) for number, error in rows])
        expected |= {(run, number): error for number, error in rows}
        if action == "merge":
            writer.merge()
        elif action == "compact":
            store.compact()
    assert errors(store) == expected


def test_a_half_written_file_is_never_read(tmp_path: Path) -> None:
    store = sweep_at(tmp_path)
    store.writer("r1").write(EPOCHS, [epoch("r1", 1, 5.0)])
    (whole,) = parts(store)
    whole.with_name(".r1-000001.epochs.arrows.99").write_bytes(whole.read_bytes()[:100])
    assert errors(store) == {("r1", 1): 5.0}
    store.writer("r1").write(EPOCHS, [epoch("r1", 2, 4.0)])
    store.compact()
    assert errors(store) == {("r1", 1): 5.0, ("r1", 2): 4.0}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_a_damaged_part_is_named_and_nothing_else_is_lost(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int, cut: bool
) -> None:
    store = sweep_at(tmp_path_factory.mktemp("damaged"))
    store.writer("r1").write(EPOCHS, [epoch("r1", 1, 5.0)])
    store.writer("r2").write(EPOCHS, [epoch("r2", 1, 4.0)])
    damaged, _ = parts(store)
    content = bytearray(damaged.read_bytes())
    content[place % len(content)] ^= change
    damaged.write_bytes(content[: place % len(content)] if cut else content)
    results = analysis.load(store.folder.path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        found = results.epochs
    assert 4.0 in set(found["val_error_percent"])
    assert [part.path for part in results.damaged] == [str(damaged)]
    assert len(found) == 1


def test_files_carry_version_and_units(tmp_path: Path) -> None:
    store = sweep_at(tmp_path)
    store.compact()
    schema = pq.read_schema(tables(store) / "sweeps.parquet")
    assert schema.metadata[b"schema_version"] == str(SCHEMA_VERSION).encode()
    assert schema.names == SWEEPS.schema.names
