"""The contract of a store, run over every place that ours may lie, and over one in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from analysis.store.contract import Row, RowWriter, SweepStore
from analysis.store.conversion import frame_of
from analysis.store.errors import DamagedFile
from analysis.store.folder_store import FolderStore, open_store
from analysis.store.part_files import row_list
from analysis.store.schema import Table
from analysis.store.statuses import Status
from analysis.store.testing import StoreContract


class TestLocalFolder(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FolderStore:
        return open_store(tmp_path)

    def reopened(self, store: FolderStore) -> FolderStore:
        return open_store(store.folder.path)

    def damage(self, store: FolderStore, writer: str) -> str:
        (part,) = Path(store.folder.path).glob(f"tables/parts/{writer}-*")
        part.write_bytes(part.read_bytes()[:-9])
        return str(part)


class TestS3(StoreContract):
    @pytest.fixture
    def store(self, bucket) -> FolderStore:
        self.bucket = bucket
        return open_store(bucket.address("results/a"))

    def reopened(self, store: FolderStore) -> FolderStore:
        return open_store(self.bucket.address("results/a"))

    def damage(self, store: FolderStore, writer: str) -> str:
        (key,) = (key for key in self.bucket.keys if f"/parts/{writer}-" in key)
        self.bucket.overwrite(key, self.bucket.content(key)[:-9])
        return f"bucket/{key}"


class MemoryStore(SweepStore):
    """The contract in its plainest form: a dictionary a table."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple, dict[str, Any]]] = {}
        self.writers: dict[tuple, str] = {}

    def writer(self, name: str, new: bool = False) -> RowWriter:
        return MemoryWriter(self, name)

    def read(
        self, table: Table, columns: Sequence[str] | None = None
    ) -> tuple[pd.DataFrame, list[DamagedFile]]:
        rows = list(self.tables.get(table.name, {}).values())
        frame = frame_of(pa.Table.from_pylist(rows, table.schema), table)
        return (frame if columns is None else frame[[*table.key, *columns]]), []

    def rows_of_run(self, table: Table, run_id: str) -> list[dict[str, Any]]:
        nulls = dict.fromkeys(table.schema.names)
        rows = list(self.tables.get(table.name, {}).values())
        return [nulls | row for row in rows if row["run_id"] == run_id]

    def compact(self) -> list[DamagedFile]:
        self.writers.clear()
        return []


class MemoryWriter(RowWriter):
    def __init__(self, store: MemoryStore, name: str) -> None:
        self.tables, self.writers, self.name = store.tables, store.writers, name

    def write_all(self, tables: Sequence[tuple[Table, Sequence[Row]]]) -> None:
        for table, rows in tables:
            row_list(table, rows)  # refuses a column that the table lacks
        for table, rows in tables:
            known = self.tables.setdefault(table.name, {})
            for row in rows:
                key = tuple(row[name] for name in table.key)
                other = self.writers.get((table.name, *key), self.name) != self.name
                if other and Status(known[key]["status"]).rank > Status(row["status"]).rank:
                    continue
                known[key], self.writers[table.name, *key] = dict(row), self.name

    def merge(self, beyond: int = 1) -> None:
        pass


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    def reopened(self, store: MemoryStore) -> MemoryStore:
        return store
