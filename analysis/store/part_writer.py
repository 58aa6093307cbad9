"""Appends rows to a sweep's tables, one part a write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from analysis.store.completeness import missing_parts
from analysis.store.contract import Row, RowWriter
from analysis.store.folders import Folder
from analysis.store.layout import next_number, order_of, part_name, parts_folder
from analysis.store.merging import merged
from analysis.store.open_files import read_parts
from analysis.store.part_files import joined_row_list, row_list, write_part
from analysis.store.schema import TABLES, Table
from analysis.store.whole_files import make_folder


class PartWriter(RowWriter):
    """Writes parts under a name of its own."""

    def __init__(self, sweep: Folder, name: str, new: bool = False) -> None:
        self._sweep = sweep
        self._name = name
        self._new = new
        self._next: int | None = 0 if new else None

    def write_all(self, tables: Sequence[tuple[Table, Sequence[Row]]]) -> None:
        """Write rows of several tables as one part."""
        lists = {table.name: row_list(table, rows) for table, rows in tables if rows}
        if lists:
            self._write(lists)

    def merge(self, beyond: int = 1) -> None:
        """Replace this writer's parts, if more than `beyond`, by one part a table."""
        if self._new and (self._next or 0) <= beyond:
            return
        found = {table: read_parts(self._sweep, table, self._name) for table in TABLES.values()}
        parts = {part.path for read, _ in found.values() for part in read}
        if len(parts) <= beyond or any(damaged for _, damaged in found.values()):
            return
        if missing_parts(self._sweep, self._name):
            return  # its other parts show that one is missing
        for table, (read, _) in found.items():
            if read:
                self._write({table.name: joined_row_list(table, merged(table, read))})
        # A crash in between leaves parts whose rows the merged parts, of higher numbers, replace.
        for path in sorted(parts, key=order_of):
            self._sweep.filesystem.delete_file(path)

    def _write(self, rows: Mapping[str, pa.Array]) -> None:
        folder = parts_folder(self._sweep)
        if self._next is None:
            self._next = next_number(self._sweep, self._name)
        if self._next == 0:
            make_folder(folder)
        write_part(folder.child(part_name(self._name, self._next, rows)), rows)
        self._next += 1
