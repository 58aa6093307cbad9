"""A sweep's tables as files below one folder, of a local disk, a shared one or an object store."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from analysis.store.completeness import missing_parts
from analysis.store.contract import SweepStore
from analysis.store.errors import DamagedFile, StoreError, StoreWarning
from analysis.store.file_reader import DAMAGE, DamagedError
from analysis.store.folders import Folder, open_folder, with_tables
from analysis.store.headers import check_header
from analysis.store.identities import row_of_today
from analysis.store.layout import compacted_file, order_of, part_files, tables_of
from analysis.store.merging import merged
from analysis.store.open_files import PartRows, read_parts
from analysis.store.part_writer import PartWriter
from analysis.store.reading import read_table
from analysis.store.schema import RUNS, TABLES, Table
from analysis.store.soundness import sound
from analysis.store.table_files import write_table

_COMPACTED_RUNS: dict[str, tuple[int | None, frozenset[str]]] = {}
"""By a compacted file's path when it was last changed, and its run ids: a worker asks often."""


@dataclass(frozen=True)
class FolderStore(SweepStore):
    """The files of one sweep, as `analysis.store.layout` names them."""

    folder: Folder

    def writer(self, name: str, new: bool = False) -> PartWriter:
        """Return a writer of parts."""
        return PartWriter(self.folder, name, new)

    def read(
        self, table: Table, columns: Sequence[str] | None = None
    ) -> tuple[pd.DataFrame, list[DamagedFile]]:
        """Return a table as a frame, and the damaged files that were left out."""
        frame, damaged = read_table([self.folder], table, columns)
        return frame, [*damaged, *missing_parts(self.folder).values()]

    def rows_of_run(self, table: Table, run_id: str) -> list[dict[str, Any]]:
        """Return the rows of one run from its own parts and the compacted table."""
        parts, _ = read_parts(self.folder, table, run_id)
        rows = [row for group in merged(table, parts) for row in group.to_pylist()]
        only = [("run_id", "=", run_id)]
        earlier = _read_compacted(compacted_file(self.folder, table), table, filters=only)
        last = {tuple(row[name] for name in table.key): row for row in (*earlier, *rows)}
        return [row_of_today(row) if table.name == RUNS.name else row for row in last.values()]

    def has_run(self, run_id: str) -> bool:
        """Look for a run among the names of parts and the ids of the compacted table."""
        whole = compacted_file(self.folder, RUNS)
        info = self.folder.filesystem.get_file_info(whole.path)
        if info.is_file:
            changed_at, known = _COMPACTED_RUNS.get(whole.path, (None, frozenset()))
            if changed_at != info.mtime_ns:
                found = _read_compacted(whole, RUNS, columns=list(RUNS.key))
                known = frozenset(row["run_id"] for row in found)
                _COMPACTED_RUNS[whole.path] = (info.mtime_ns, known)
            if run_id in known:
                return True
        return bool(part_files(self.folder, RUNS, run_id))

    def compact(self) -> list[DamagedFile]:
        """Put each table into one file, sorted by its key.

        A damaged part stays where it is, and so do all parts of a table whose one file is damaged,
        and of a writer of which a part is missing: they show that it is.
        """
        damaged = missing_parts(self.folder)
        gapped = {order_of(path)[0] for path in damaged}
        done: dict[str, set[str]] = {}
        guests: set[str] = set()
        for table in TABLES.values():
            files, unreadable = read_parts(self.folder, table)
            damaged |= {file.path: file for file in unreadable}
            files = [file for file in files if file.writer not in gapped]
            whole = compacted_file(self.folder, table)
            parts = [file.path for file in files if file.path != whole.path]
            if table is RUNS:
                guests = _guests(files)
            if parts and whole.path not in damaged:
                write_table(whole, table, merged(table, files))
                for path in parts:
                    done.setdefault(path, set()).add(table.name)
        for file in damaged.values():
            said = f"left damaged {file.path}: {file.reason}" if file.left_out else str(file)
            warnings.warn(said, StoreWarning, 2)
        # A crash in between leaves parts whose rows win over the compacted ones: so those of others
        # than a run's own writer go first, and of each writer the oldest.
        places = {path: order_of(path) for path in done.keys() | damaged.keys()}
        kept: set[str] = set()
        for path, (writer, *_) in sorted(
            places.items(), key=lambda item: (item[1][0] not in guests, item[1])
        ):
            if done.get(path) != set(tables_of(path)):
                kept.add(writer)  # with all that follow: a gap would count as a loss
            elif writer not in kept:
                self.folder.filesystem.delete_file(path)
        return list(damaged.values())


def _read_compacted(whole: Folder, table: Table, **which: Any) -> list[dict[str, Any]]:
    """Return some rows of a compacted file; of one that is damaged none, with a warning."""
    try:
        rows = pq.read_table(whole.path, filesystem=whole.filesystem, **which)
        check_header(whole.path, rows.schema, table)
        return list(sound(rows, table).to_pylist())
    except FileNotFoundError:
        return []  # nothing is compacted yet
    except StoreError:
        raise
    except DAMAGE as cause:
        warnings.warn(str(DamagedError(whole.path, cause).file), StoreWarning, 3)
        return []


def _guests(files: Sequence[PartRows]) -> set[str]:
    """Return the writers that wrote rows of runs which are not their own."""
    return {
        file.writer
        for file in files
        if file.writer is not None and set(file.rows["run_id"].to_pylist()) != {file.writer}
    }


def open_store(path: str | Path, tables_at: str | None = None) -> FolderStore:
    """Return the store of a sweep's folder, whose tables may lie below `tables_at`.

    Raises:
        ElsewhereError: they lie in another place.
        StoreError: neither pyarrow nor fsspec knows the address's scheme.
    """
    return FolderStore(with_tables(open_folder(path), (tables_at, str(path))))
