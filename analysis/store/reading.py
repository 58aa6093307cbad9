"""Tables read whole from all files that have rows of them, also while writers write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import fs

from analysis.store.conversion import Columns, last_of_each_key
from analysis.store.errors import DamagedFile, StoreError
from analysis.store.file_reader import DamagedError, FileReader, OpenFile
from analysis.store.folders import Folder
from analysis.store.identities import (
    IDENTITY,
    older,
    read_aside,
    runs_of_today,
    trials_of_today,
)
from analysis.store.keys import writers_of
from analysis.store.layout import compacted_file, order_of, part_files
from analysis.store.schema import RUNS, Table

Found = TypeVar("Found")

_LOCAL_READS, _REMOTE_READS = 4, 16  # at once: opening a small part is mostly waiting
_ATTEMPTS = 5  # a compaction may remove parts between listing and reading them


@dataclass(frozen=True)
class PartRows:
    """The rows of one table that one file has."""

    path: str
    writer: str | None
    """None: the compacted table, whose rows are older than those of every part."""
    rows: pa.Table


def read_table(
    sweeps: Sequence[Folder],
    table: Table,
    columns: Sequence[str] | None = None,
    run_ids: Sequence[str] = (),
) -> tuple[pd.DataFrame, list[DamagedFile]]:
    """Return a table of some sweeps as a frame, and the damaged files that were left out.

    The frame is sorted by the table's key and has one row of each, as `keys` chooses it. Rows of
    an older identity version have today's identity.

    Args:
        sweeps: the folders of the sweeps.
        table: the table to read.
        columns: the columns to read beside the key's; None: all.
        run_ids: known categories of the column `run_id`, see `Columns`.

    Raises:
        StoreError: a newer version of the schema wrote a file.
    """
    chosen = [*table.key, *(table.schema.names if columns is None else columns)]
    # The status is read in any case: of the rows of several writers it chooses one.
    needed = {*chosen, "status", *read_aside(table, chosen)}
    schema = pa.schema([field for field in table.schema if field.name in needed])

    def read(damaged: dict[str, DamagedFile]) -> pd.DataFrame:
        frame = _written(sweeps, table, schema, run_ids, damaged)
        if older(frame):
            frame = _of_today(frame, sweeps, table, damaged)
        return frame.drop(columns=[name for name in schema.names if name not in chosen])

    return _whole(read, table)


def _written(
    sweeps: Sequence[Folder],
    table: Table,
    schema: pa.Schema,
    run_ids: Sequence[str],
    damaged: dict[str, DamagedFile],
) -> pd.DataFrame:
    """Return a table as it was written, one row of each key."""
    files = [file for sweep in sweeps for file in _open_files(sweep, table, schema, damaged)]
    writers = writers_of([(f.writer, sum(g.count for g in f.groups)) for f in files], table)
    return last_of_each_key(_filled(files, schema, run_ids), table.key, writers)


def _of_today(
    frame: pd.DataFrame, sweeps: Sequence[Folder], table: Table, damaged: dict[str, DamagedFile]
) -> pd.DataFrame:
    """Return rows of which some have an older identity, all with today's."""
    if table.name == RUNS.name:
        return runs_of_today(frame)
    columns = {*RUNS.key, *IDENTITY, "status"}
    schema = pa.schema([field for field in RUNS.schema if field.name in columns])
    return trials_of_today(frame, _written(sweeps, RUNS, schema, (), damaged))


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
            for f in _open_files(sweep, table, table.schema, damaged, writer)
        ]

    return _whole(read, table)


def _whole(
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


def _open_files(
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
    with ThreadPoolExecutor(_LOCAL_READS if sweep.local else _REMOTE_READS) as pool:
        loaded = list(pool.map(partial(attempt, reader.load), parts))
    readable = sorted((f for f in loaded if f is not None), key=lambda f: order_of(f.path))
    return readable if first is None else [first, *readable]


def _filled(files: list[OpenFile], schema: pa.Schema, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the rows of files as a frame; the list is emptied, which frees each part's memory."""
    groups = [group for file in files for group in file.groups]
    files.clear()
    starts = np.cumsum([0, *(group.count for group in groups)]).tolist()
    columns = Columns(schema, starts.pop(), run_ids)
    with ThreadPoolExecutor(_LOCAL_READS) as pool:
        tasks = [
            pool.submit(lambda start, group: columns.fill(start, group.read()), start, group)
            for start, group in zip(starts, groups, strict=True)
        ]
        groups.clear()
        for task in tasks:
            task.result()
    return columns.frame()
