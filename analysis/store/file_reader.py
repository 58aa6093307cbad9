"""Reads one file of a table, in either format, and tells damage from replacement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from analysis.store.errors import DamagedFile, StoreError
from analysis.store.folders import Folder
from analysis.store.headers import ForeignFileError, check_header
from analysis.store.layout import order_of, tables_of
from analysis.store.part_files import read_part
from analysis.store.schema import Table
from analysis.store.soundness import sound
from analysis.store.table_files import open_table

DAMAGE = (
    *(pa.ArrowException, OSError, ForeignFileError),
    # Of headers, counts and JSON that no writer of ours wrote.
    *(ValueError, TypeError, LookupError, StopIteration, RecursionError),
)
"""Errors that mean damage, where they are raised in reading a file."""


@dataclass(frozen=True)
class RowGroup:
    """Some rows of a file, which are in memory only once they are read."""

    count: int
    read: Callable[[], pa.Table]


@dataclass(frozen=True)
class OpenFile:
    """A readable file of a table: its writer and its rows."""

    path: str
    writer: str | None
    """None: the compacted table, whose rows are older than those of every part."""
    groups: Sequence[RowGroup]


class DamagedError(Exception):
    """Carries the name of a damaged file from where it is read to where it is reported."""

    def __init__(self, path: str, cause: Exception) -> None:
        self.file = DamagedFile(path, _line(cause))


def _line(cause: Exception) -> str:
    """Return an error's first line; of one without words its kind."""
    lines = str(cause).splitlines() or [type(cause).__name__]
    return lines[0][:200]


@dataclass(frozen=True)
class FileReader:
    """Reads files of one table of a sweep in the columns of a schema.

    Its methods raise FileNotFoundError where another process removed or replaced the file
    meanwhile, DamagedError where it cannot be read, and StoreError where a newer version wrote it.
    """

    sweep: Folder
    table: Table
    schema: pa.Schema

    def load(self, info: fs.FileInfo) -> OpenFile:
        """Read a part whole, since a merge or a compaction may delete it the next moment."""
        with self._naming_damage(info):
            source = self._source(info.path)
            if info.extension == "arrows":
                rows = read_part(source, tables_of(info.path).index(self.table.name))
                check_header(info.path, rows.schema, self.table)
                rows = rows.select(self._columns_in(rows.schema))
            else:
                file = open_table(source, self.schema)
                check_header(info.path, file.schema_arrow, self.table)
                rows = file.read(self._columns_in(file.schema_arrow), use_threads=False)
            rows = sound(rows, self.table)
        return OpenFile(info.path, order_of(info.path)[0], [RowGroup(len(rows), lambda: rows)])

    def open(self, info: fs.FileInfo) -> OpenFile:
        """Open a compacted table; the open file stays the same when another takes its name."""
        with self._naming_damage(info):
            source = self._source(info.path)
            file = open_table(source, self.schema)
            check_header(info.path, file.schema_arrow, self.table)
        groups = [
            RowGroup(
                file.metadata.row_group(group).num_rows,
                partial(self._read_group, info, source, file.metadata, group),
            )
            for group in range(file.num_row_groups)
        ]
        return OpenFile(info.path, None, groups)

    def _source(self, path: str) -> pa.NativeFile:
        filesystem = self.sweep.filesystem
        if self.sweep.local:
            return filesystem.open_input_file(path)
        # One request returns one version of the object; two might return halves of two versions.
        with filesystem.open_input_stream(path) as stream:
            return pa.BufferReader(stream.read_buffer())

    def _read_group(
        self, info: fs.FileInfo, source: pa.NativeFile, metadata: pq.FileMetaData, group: int
    ) -> pa.Table:
        with self._naming_damage(info):
            # A file of its own a call: one must not be read by two threads.
            file = open_table(source, self.schema, metadata)
            columns = self._columns_in(file.schema_arrow)
            return sound(file.read_row_group(group, columns, use_threads=False), self.table)

    def _columns_in(self, found: pa.Schema) -> list[str]:
        """Return the columns of the schema that a file has: an older version had fewer."""
        names = set(found.names)
        return [name for name in self.schema.names if name in names]

    @contextmanager
    def _naming_damage(self, info: fs.FileInfo) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, StoreError):
            raise
        except DAMAGE as cause:
            now = self.sweep.filesystem.get_file_info(info.path)
            if (now.size, now.mtime_ns) != (info.size, info.mtime_ns):
                raise FileNotFoundError(f"{info.path} was replaced while being read") from cause
            raise DamagedError(info.path, cause) from cause
