"""One table of one sweep: its parts on disk, in order, the last row of each key.

A table is `<sweep>/tables/<table>.parquet`, written when parts are compacted, and after it the
parts `<sweep>/tables/<table>/<name>.parquet` in the order in which they were written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from analysis.errors import StoreError
from analysis.schema import SCHEMA_VERSION, TABLES_FOLDER, Table

Kept = TypeVar("Kept")

_READS_AT_ONCE = 4  # opening many small parts waits on the disk more than on a core
_ATTEMPTS = 5  # a compaction may remove parts between listing and reading them


@dataclass(frozen=True)
class Folder:
    """A folder of a local, shared or remote file system."""

    filesystem: fs.FileSystem
    path: str

    def child(self, *names: str) -> Folder:
        """Return the folder or file below this one."""
        return Folder(self.filesystem, "/".join((self.path, *names)))

    def entries(self) -> list[fs.FileInfo]:
        """Return what lies in the folder, sorted by name; nothing if it is missing."""
        listing = self.filesystem.get_file_info(fs.FileSelector(self.path, allow_not_found=True))
        return sorted(listing, key=lambda info: info.base_name)

    def exists(self) -> bool:
        """Return whether a file or folder of this path is there."""
        return self.filesystem.get_file_info(self.path).type != fs.FileType.NotFound


def open_folder(path: str | Path) -> Folder:
    """Return the folder at a local path or an address such as `s3://bucket/results`.

    Raises:
        StoreError: neither pyarrow nor fsspec knows the address's scheme.
    """
    address = str(path)
    if "://" not in address:
        return Folder(fs.LocalFileSystem(), str(Path(address).absolute()))
    try:
        return Folder(*fs.FileSystem.from_uri(address.rstrip("/")))
    except pa.ArrowInvalid:
        return _open_through_fsspec(address)


def _open_through_fsspec(address: str) -> Folder:
    try:
        import fsspec  # type: ignore[import-untyped]

        filesystem, path = fsspec.url_to_fs(address)
    except (ImportError, ValueError) as cause:
        raise StoreError(f"cannot read {address}: {cause}") from cause
    return Folder(fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path.rstrip("/"))


@dataclass(frozen=True)
class Damaged:
    """A part that could not be read and was left out."""

    path: str
    reason: str


def read_table(
    sweep: Folder,
    table: Table,
    columns: Sequence[str] | None,
    keep: Callable[[pa.Table], Kept],
) -> tuple[list[Kept], list[Damaged]]:
    """Return what `keep` makes of a table's rows, in the order of their writing.

    `keep` gets some rows at a time, so that a large table need not be in memory twice. A key can
    occur more than once: `last_of_each_key` keeps its newest row. The key's columns are read also
    where `columns` leaves them out. What is damaged is left out and returned beside.

    Raises:
        StoreError: a part was written by a newer version of the schema.
    """
    wanted = [f for f in table.schema if columns is None or f.name in (*table.key, *columns)]
    reader = _Reader(sweep.filesystem, table, pa.schema(wanted))
    for _ in range(_ATTEMPTS):
        try:
            return _read_once(sweep.child(TABLES_FOLDER), reader, keep)
        except FileNotFoundError:
            continue
    raise StoreError(f"{sweep.path}: parts of {table.name} vanish while being read: try again")


def _read_once(
    tables: Folder, reader: _Reader, keep: Callable[[pa.Table], Kept]
) -> tuple[list[Kept], list[Damaged]]:
    paths = [
        info.path
        for info in tables.child(reader.table.name).entries()
        if info.base_name.endswith(".parquet") and not info.base_name.startswith(".")
    ]
    compacted = tables.child(f"{reader.table.name}.parquet")
    first = reader.read(compacted.path, keep) if compacted.exists() else None
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        parts = list(pool.map(lambda path: reader.read(path, keep), paths))
    whole = [part for part in parts if isinstance(part, _Part)]
    ordered = sorted(whole, key=lambda part: (part.written_at, part.path))
    ordered = [first, *ordered] if isinstance(first, _Part) else ordered
    damaged = [part for part in (first, *parts) if isinstance(part, Damaged)]
    return [rows for part in ordered for rows in part.rows], damaged


@dataclass(frozen=True)
class _Part(Generic[Kept]):
    path: str
    written_at: int
    rows: list[Kept]


@dataclass(frozen=True)
class _Reader:
    """Reads parts of one table in the columns of a schema."""

    filesystem: fs.FileSystem
    table: Table
    schema: pa.Schema

    def read(self, path: str, keep: Callable[[pa.Table], Kept]) -> _Part[Kept] | Damaged:
        try:
            with self.filesystem.open_input_file(path) as source:
                text = [f.name for f in self.schema if pa.types.is_string(f.type)]
                file = pq.ParquetFile(source, read_dictionary=text)
                names = self._columns(path, file)
                groups = (file.read_row_group(i, names) for i in range(file.num_row_groups))
                rows = [keep(self._conform(group)) for group in groups]
                written_at = int(file.schema_arrow.metadata.get(b"written_at", 0))
                return _Part(path, written_at, rows)
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError, _NotAPart) as cause:
            return Damaged(path, str(cause).splitlines()[0][:200])

    def _columns(self, path: str, file: pq.ParquetFile) -> list[str]:
        """Return which of the schema's columns the part has, once it is known to be one."""
        metadata = file.schema_arrow.metadata or {}
        if b"schema_version" not in metadata:
            raise _NotAPart("no schema_version in its metadata")
        version = int(metadata[b"schema_version"])
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by schema version {version}, this reads up to "
                f"{SCHEMA_VERSION}: upgrade polyneuron-sweeps"
            )
        there = set(file.schema_arrow.names)
        for name in self.table.key:
            if name not in there:
                raise _NotAPart(f"no column {name}, which {self.table.name} needs")
        return [name for name in self.schema.names if name in there]

    def _conform(self, rows: pa.Table) -> pa.Table:
        """Return the rows in the schema's columns; one that an older version lacked is null."""
        there = set(rows.schema.names)
        columns = [
            _cast(rows[field.name], field.type)
            if field.name in there
            else pa.nulls(rows.num_rows, field.type)
            for field in self.schema
        ]
        return pa.table(columns, names=self.schema.names)


class _NotAPart(Exception):  # noqa: N818 - caught where the part is named as damaged
    """A Parquet file that this store's writer did not write."""


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return column if pa.types.is_dictionary(column.type) else column.cast(kind)


def last_of_each_key(frame: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Return the frame sorted by key, the last row of each, with a fresh index."""
    codes = _key_codes(frame, key)
    if (np.diff(codes) > 0).all():
        return frame
    order = np.argsort(codes, kind="stable")
    ends = np.append(np.diff(codes[order]) > 0, True)
    kept = frame.take(order[ends]).reset_index(drop=True)
    if ends.all():
        return kept
    # words that only replaced rows had; run ids stay, as all tables share them
    words = [str(name) for name in kept.select_dtypes("category") if name != "run_id"]
    return kept.assign(**{name: kept[name].cat.remove_unused_categories() for name in words})


def _key_codes(frame: pd.DataFrame, key: Sequence[str]) -> np.ndarray:
    """Return one integer a row, (rows,), that orders rows as their keys do."""
    codes = np.zeros(len(frame), dtype=np.int64)
    radix = 1
    for name in key:
        column, size = _column_codes(frame[name])
        if radix * size > 2**62:
            codes = np.unique(codes, return_inverse=True)[1]
            radix = int(codes.max()) + 1
        codes = codes * size + column
        radix *= size
    return codes


def _column_codes(column: pd.Series) -> tuple[np.ndarray, int]:
    if len(column) == 0:
        return np.zeros(0, dtype=np.int64), 1
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(np.int64), len(column.cat.categories)
    if pd.api.types.is_integer_dtype(column.dtype):
        values = column.to_numpy(np.int64)
        return values - values.min(), int(values.max() - values.min()) + 1
    unique, codes = np.unique(column.to_numpy(), return_inverse=True)
    return codes, len(unique)
