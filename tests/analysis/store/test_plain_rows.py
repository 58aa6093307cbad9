"""Rows as plain values against the frames of the same tables."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.store.errors import DamagedFile
from analysis.store.folder_store import open_store
from analysis.store.folders import Folder
from analysis.store.plain_rows import read_rows
from analysis.store.reading import read_table
from analysis.store.roots import find_sweeps
from analysis.store.schema import EPOCHS, EVENTS, RUNS, SWEEPS, TABLES, TRIALS, Table
from analysis.store.statuses import Status

ROOTS = [Path(__file__).with_name(name) for name in ("stores", "real_store")]
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def plain(row: dict) -> dict:
    """A row in which null, NaN and NaT are None, and moments are Python's."""
    row = {name: None if pd.isna(value) else value for name, value in row.items()}
    moments = {name: one for name, one in row.items() if isinstance(one, pd.Timestamp)}
    return {**row, **{name: one.to_pydatetime() for name, one in moments.items()}}


def agree(folders: list[Folder], table: Table, columns: list[str]) -> list[DamagedFile]:
    frame, damaged = read_table(folders, table, columns)
    rows, same = read_rows(folders, table, columns)
    found = [plain({name: row[name] for name in frame.columns}) for row in rows]
    assert found == [plain(row) for row in frame.to_dict("records")]
    assert same == damaged
    return damaged


@pytest.mark.parametrize("table", [SWEEPS, TRIALS, RUNS, EPOCHS, EVENTS], ids=lambda t: t.name)
def test_rows_are_those_of_the_frames(table: Table) -> None:
    """Of a store of today, and of one with an older layout."""
    folders = [folder for root in ROOTS for folder in find_sweeps(root).values()]
    assert len(folders) > 1
    # Identities are as they were written, and lists are arrays in a frame.
    apart = ("config_id", "identity_version", "config_json", "claims", "run_id", *table.key)
    columns = [name for name in TABLES[table.name].schema.names if name not in apart]
    assert agree(folders, table, columns) == []


@pytest.mark.parametrize("seed", range(4))
def test_of_several_writers_the_same_row_counts(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = open_store(tmp_path / "demo")
    writers = [store.writer(name) for name in ("driver", "a", "b")]
    for step in range(30):
        rows = [
            {
                "sweep": "demo",
                "trial": int(trial),
                "status": str(rng.choice(list(Status))),
                "objective": float(step) if rng.random() < 0.8 else None,
                "started_at": START + timedelta(microseconds=step),
            }
            for trial in rng.choice(6, size=2, replace=False)
        ]
        writers[rng.integers(3)].write(TRIALS, rows)
        if step in (9, 17):
            store.compact()
        agree([store.folder], TRIALS, ["status", "objective", "started_at"])
    (damaged,) = list((tmp_path / "demo" / "tables" / "parts").glob("a-*"))[:1]
    damaged.write_bytes(b"cut")
    assert len(agree([store.folder], TRIALS, ["objective"])) == 1


def test_the_list_of_sweeps_needs_a_root_with_sweeps(tmp_path: Path) -> None:
    with pytest.raises(analysis.StoreError, match="no sweeps in"):
        find_sweeps(tmp_path)
