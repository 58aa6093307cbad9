"""The files that have rows of a table, opened, also while writers write.

pandas is not imported here: a command that shows a few numbers of a store has no use for it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import pyarrow as pa
from pyarrow import fs

from analysis.store.errors import DamagedFile, StoreError
from analysis.store.file_reader import DamagedError, FileReader, OpenFile
from analysis.store.folders import Folder
from analysis.store.layout import compacted_file, order_of, part_files
from analysis.store.schema import Table

Found = TypeVar("Found")

LOCAL_READS, _REMOTE_READS = 4, 16
"""Files that are read at once: opening a small part is mostly waiting."""
FEW = 4
"""Files for which threads would cost more than they save."""
_ATTEMPTS = 5
"""Readings of a table: a compaction may remove parts between their listing and their reading."""


@dataclass(frozen=True)
class PartRows:
    """The rows of one table that one file has."""

    path: str
    writer: str | None
    """None: the compacted table, whose rows are older than those of every part."""
    rows: pa.Table


def read_parts(
    sweep: Folder, table: Table, writer: str | None = None
) -> tuple[list[PartRows], list[DamagedFile]]:
    """Return a table's rows file by file, as written, and the damaged files that were left out.

    Args:
        sweep: the folder of the sweep.
        table: the table to read.
        writer: read only the parts that a writer of this name wrote since the last compaction.

    Raises:
        StoreError: a newer version of the schema wrote a file.
    """

    def read(damaged: dict[str, DamagedFile]) -> list[PartRows]:
        return [
            PartRows(f.path, f.writer, pa.concat_tables(group.read() for group in f.groups))
            for f in open_files(sweep, table, table.schema, damaged, writer)
        ]

    return read_whole(read, table)


def read_whole(
    read: Callable[[dict[str, DamagedFile]], Found], table: Table
) -> tuple[Found, list[DamagedFile]]:
    """Read again until no file was removed or found damaged meanwhile; return the damaged too."""
    damaged: dict[str, DamagedFile] = {}
    vanished = 0
    while vanished < _ATTEMPTS:
        try:
            return read(damaged), list(damaged.values())
        except FileNotFoundError:
            vanished += 1
        except DamagedError as error:
            damaged[error.file.path] = error.file
    raise StoreError(f"parts of {table.name} vanish while being read: try again")


def open_files(
    sweep: Folder,
    table: Table,
    schema: pa.Schema,
    damaged: dict[str, DamagedFile],
    writer: str | None = None,
) -> list[OpenFile]:
    """Return the compacted table, then the parts of each writer in the order of their numbers.

    Those in `damaged` are left out, and those found damaged are added to it.
    """
    # The parts are listed first: a compaction in between adds their rows to the compacted file,
    # and rows that are read twice do no harm.
    parts = part_files(sweep, table, writer)
    compacted = sweep.filesystem.get_file_info(compacted_file(sweep, table).path)
    reader = FileReader(sweep, table, schema)

    def attempt(read: Callable[[fs.FileInfo], OpenFile], info: fs.FileInfo) -> OpenFile | None:
        if info.path in damaged:
            return None
        try:
            return read(info)
        except DamagedError as error:
            damaged[info.path] = error.file
            return None

    exists = compacted.type == fs.FileType.File and writer is None
    first = attempt(reader.open, compacted) if exists else None
    if sweep.local and len(parts) <= FEW:
        loaded = [attempt(reader.load, info) for info in parts]
    else:
        with ThreadPoolExecutor(LOCAL_READS if sweep.local else _REMOTE_READS) as pool:
            loaded = list(pool.map(partial(attempt, reader.load), parts))
    readable = sorted((f for f in loaded if f is not None), key=lambda f: order_of(f.path))
    return readable if first is None else [first, *readable]
