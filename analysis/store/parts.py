"""One table of some sweeps: its parts on disk as one frame, the last row of each key.

A table is `<sweep>/tables/<table>.parquet`, written when parts are compacted, and after it, in the
order in which they were written, the parts `<sweep>/tables/parts/<writer>-<n>.<tables>.arrows`.
A part has what was written at once, of one table or several: a stream of Arrow's with a single row
and a column a table, each a list of that table's rows, and at its end its checksum. Its name says
which tables it has, so that no other part is opened. An earlier layout, a Parquet file a part,
`<sweep>/tables/<table>/<writer>-<number>.parquet`, is read as well.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from analysis.store.conversion import Columns, last_of_each_key
from analysis.store.errors import StoreError
from analysis.store.folders import Folder
from analysis.store.schema import PARTS_FOLDER, SCHEMA_VERSION, TABLES_FOLDER, Table

CHECKSUM_BYTES = 4
_LOCAL_READS, _REMOTE_READS = 4, 16  # at once: opening a small part waits more than it works
_ATTEMPTS = 5  # a compaction may remove parts between listing and reading them


@dataclass(frozen=True)
class Damaged:
    """A part that could not be read and was left out."""

    path: str
    reason: str


class DamagedError(Exception):
    """Carries the part that cannot be read to where it is named."""

    def __init__(self, path: str, cause: Exception) -> None:
        self.part = Damaged(path, str(cause).splitlines()[0][:200])


@dataclass(frozen=True)
class Written:
    """The rows of a table that one part has, and when it was written, in nanoseconds."""

    path: str
    written_at: int
    rows: pa.Table


@dataclass(frozen=True)
class Part:
    """A readable part: when it was written, and its rows, a piece at a time."""

    path: str
    written_at: int
    pieces: Sequence[Piece]

    @property
    def rows(self) -> int:
        """Rows in all."""
        return sum(piece.rows for piece in self.pieces)


@dataclass(frozen=True)
class Piece:
    """Some rows of a part, which are in memory only once they are read."""

    rows: int
    read: Callable[[], pa.Table]


def read_table(
    sweeps: Sequence[Folder],
    table: Table,
    columns: Sequence[str] | None = None,
    run_ids: Sequence[str] = (),
) -> tuple[pd.DataFrame, list[Damaged]]:
    """Return a table of some sweeps sorted by its key, the last row of each.

    The key's columns are read also where `columns` leaves them out; what is damaged is left out
    and returned beside. `run_ids` are known categories, see `Columns`.

    Raises:
        StoreError: a part was written by a newer version of the schema.
    """
    wanted = [f for f in table.schema if columns is None or f.name in (*table.key, *columns)]
    schema = pa.schema(wanted)

    def read(damaged: dict[str, Damaged]) -> pd.DataFrame:
        parts = [part for sweep in sweeps for part in _open_parts(sweep, table, schema, damaged)]
        return last_of_each_key(_filled(parts, schema, run_ids), table.key)

    return _whole(read, f"parts of {table.name}")


def read_parts(
    sweep: Folder, table: Table, writer: str | None = None
) -> tuple[list[Written], list[Damaged]]:
    """Return what each part has of a table, in the order of their writing.

    What is damaged is left out and returned beside.

    Args:
        sweep: the folder of the sweep.
        table: which table.
        writer: only the parts that a writer of this name wrote since the last compaction.

    Raises:
        StoreError: a part was written by a newer version of the schema.
    """

    def read(damaged: dict[str, Damaged]) -> list[Written]:
        return [
            Written(p.path, p.written_at, pa.concat_tables(piece.read() for piece in p.pieces))
            for p in _open_parts(sweep, table, table.schema, damaged, writer)
        ]

    return _whole(read, f"parts of {table.name}")


def part_files(sweep: Folder, table: Table, writer: str | None = None) -> list[fs.FileInfo]:
    """Return the files that have a part of a table, of one writer or of all, sorted by name."""
    tables = sweep.child(TABLES_FOLDER)
    name = r"[^.].*" if writer is None else rf"{re.escape(writer)}-\d{{6}}"
    several = rf"{name}(\.\w+)*\.{table.name}(\.\w+)*\.arrows"
    return [
        *tables.child(table.name).matching(re.compile(rf"{name}\.parquet")),
        *tables.child(PARTS_FOLDER).matching(re.compile(several)),
    ]


def checksum(stream: pa.Buffer) -> bytes:
    """Return the CRC-32 of a part's stream, as it stands at its end."""
    return zlib.crc32(stream).to_bytes(CHECKSUM_BYTES, "little")


def tables_of(part: str) -> list[str]:
    """Return the tables of which a part has rows, by its path."""
    folder, _, name = part.rpartition("/")
    if name.endswith(".parquet"):
        return [folder.rpartition("/")[2]]
    return re.sub(r"^.*-\d{6}\.", "", name).split(".")[:-1]


def _whole(read: Callable[[dict[str, Damaged]], Any], what: str) -> tuple[Any, list[Damaged]]:
    """Return what `read` makes of parts that are all there, and what it had to leave out."""
    damaged: dict[str, Damaged] = {}
    vanished = 0
    while vanished < _ATTEMPTS:
        try:
            return read(damaged), list(damaged.values())
        except FileNotFoundError:
            vanished += 1
        except DamagedError as error:
            damaged[error.part.path] = error.part
    raise StoreError(f"{what} vanish while being read: try again")


def _open_parts(
    sweep: Folder,
    table: Table,
    schema: pa.Schema,
    damaged: dict[str, Damaged],
    writer: str | None = None,
) -> list[Part]:
    listed = part_files(sweep, table, writer)
    tables = sweep.child(TABLES_FOLDER)
    compacted = sweep.filesystem.get_file_info(tables.child(f"{table.name}.parquet").path)
    reader = _Reader(tables, table, schema)

    def attempt(read: Callable[[fs.FileInfo], Part], info: fs.FileInfo) -> Part | None:
        if info.path in damaged:
            return None
        try:
            return read(info)
        except DamagedError as error:
            damaged[info.path] = error.part
            return None

    there = compacted.type == fs.FileType.File and writer is None
    first = attempt(reader.open, compacted) if there else None
    with ThreadPoolExecutor(_LOCAL_READS if sweep.local else _REMOTE_READS) as pool:
        found = list(pool.map(partial(attempt, reader.load), listed))
    parts = sorted((p for p in found if p is not None), key=lambda p: (p.written_at, p.path))
    return parts if first is None else [first, *parts]


def _filled(parts: list[Part], schema: pa.Schema, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the rows of parts as a frame, letting go of each part on the way."""
    columns = Columns(schema, sum(part.rows for part in parts), run_ids)
    pieces = [piece for part in parts for piece in part.pieces]
    starts = np.cumsum([0, *(piece.rows for piece in pieces)])[:-1].tolist()
    parts.clear()
    with ThreadPoolExecutor(_LOCAL_READS) as pool:
        tasks = [
            pool.submit(lambda start, piece: columns.fill(start, piece.read()), start, piece)
            for start, piece in zip(starts, pieces, strict=True)
        ]
        pieces.clear()
        for task in tasks:
            task.result()
    return columns.frame()


@dataclass(frozen=True)
class _Reader:
    """Reads parts of one table in the columns of a schema."""

    tables: Folder
    table: Table
    schema: pa.Schema

    def load(self, info: fs.FileInfo) -> Part:
        """Read a part whole; it may be gone the next moment."""
        with self._naming_damage(info):
            source = self._source(info.path)
            if info.extension == "arrows":
                rows = _rows_of(source, tables_of(info.path).index(self.table.name))
                names, written_at = self._header(info.path, rows.schema)
                rows = rows.select(names)
            else:
                file = self._file(source)
                names, written_at = self._header(info.path, file.schema_arrow)
                rows = file.read(names, use_threads=False)
        return Part(info.path, written_at, [Piece(len(rows), partial(_same, rows))])

    def open(self, info: fs.FileInfo) -> Part:
        """Open a part; it stays the same file also if another takes its name meanwhile."""
        with self._naming_damage(info):
            source = self._source(info.path)
            file = self._file(source)
            names, written_at = self._header(info.path, file.schema_arrow)
        groups = [
            Piece(
                file.metadata.row_group(group).num_rows,
                partial(self._read_group, info, source, file.metadata, names, group),
            )
            for group in range(file.num_row_groups)
        ]
        return Part(info.path, written_at, groups)

    def _source(self, path: str) -> pa.NativeFile:
        if self.tables.local:
            return self.tables.filesystem.open_input_file(path)
        # one request gets one version of the object; two might get parts of two
        with self.tables.filesystem.open_input_stream(path) as stream:
            return pa.BufferReader(stream.read_buffer())

    def _file(
        self, source: pa.NativeFile, metadata: pq.FileMetaData | None = None
    ) -> pq.ParquetFile:
        """Open a file that gives text as codes of words."""
        text = [field.name for field in self.schema if pa.types.is_string(field.type)]
        try:
            return pq.ParquetFile(source, metadata=metadata, read_dictionary=text)
        except KeyError:  # an older version had no such column
            there = set(pq.ParquetFile(source).schema_arrow.names)
            text = [name for name in text if name in there]
            return pq.ParquetFile(source, metadata=metadata, read_dictionary=text)

    def _read_group(
        self,
        info: fs.FileInfo,
        source: pa.NativeFile,
        metadata: pq.FileMetaData,
        names: list[str],
        group: int,
    ) -> pa.Table:
        with self._naming_damage(info):
            return self._file(source, metadata).read_row_group(group, names, use_threads=False)

    @contextmanager
    def _naming_damage(self, info: fs.FileInfo) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError, _NotAPart) as cause:
            now = self.tables.filesystem.get_file_info(info.path)
            if (now.size, now.mtime_ns) != (info.size, info.mtime_ns):
                raise FileNotFoundError(f"{info.path} was replaced while being read") from cause
            raise DamagedError(info.path, cause) from cause

    def _header(self, path: str, there: pa.Schema) -> tuple[list[str], int]:
        """Return which of the schema's columns a part has, and when it was written.

        Raises:
            StoreError: a newer version of the schema wrote it.
            _NotAPart: no version did.
        """
        metadata = there.metadata or {}
        if b"schema_version" not in metadata:
            raise _NotAPart("no schema_version in its metadata")
        version = int(metadata[b"schema_version"])
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by schema version {version}, this reads up to "
                f"{SCHEMA_VERSION}: upgrade polyneuron-sweeps"
            )
        names = set(there.names)
        for name in self.table.key:
            if name not in names:
                raise _NotAPart(f"no column {name}, which {self.table.name} needs")
        columns = [name for name in self.schema.names if name in names]
        return columns, int(metadata.get(b"written_at", 0))


class _NotAPart(Exception):  # noqa: N818 - caught where the part is named as damaged
    """A Parquet file that this store's writer did not write."""


def _rows_of(source: pa.NativeFile, column: int) -> pa.Table:
    """Return the rows of the one table that has this column of a part."""
    content = source.read_buffer()
    end = max(0, content.size - CHECKSUM_BYTES)
    stream = content.slice(0, end)
    if content.slice(end).to_pybytes() != checksum(stream):
        raise _NotAPart("its content does not match its checksum")
    options = pa.ipc.IpcReadOptions(included_fields=[column], use_threads=False)
    with pa.ipc.open_stream(stream, options=options) as reader:
        (lists,) = reader.read_next_batch().columns
        metadata = reader.schema.metadata
    return pa.Table.from_struct_array(lists.flatten()).replace_schema_metadata(metadata)


def _same(rows: pa.Table) -> pa.Table:
    return rows
