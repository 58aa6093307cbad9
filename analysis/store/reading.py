"""Tables read whole from all files that have rows of them, also while writers write."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.store.conversion import Columns, last_of_each_key
from analysis.store.errors import DamagedFile
from analysis.store.file_reader import OpenFile
from analysis.store.folders import Folder
from analysis.store.identities import (
    IDENTITY,
    older,
    read_aside,
    runs_of_today,
    trials_of_today,
)
from analysis.store.keys import writers_of
from analysis.store.open_files import FEW, LOCAL_READS, open_files, read_whole
from analysis.store.schema import RUNS, Table


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

    return read_whole(read, table)


def _written(
    sweeps: Sequence[Folder],
    table: Table,
    schema: pa.Schema,
    run_ids: Sequence[str],
    damaged: dict[str, DamagedFile],
) -> pd.DataFrame:
    """Return a table as it was written, one row of each key."""
    files = [file for sweep in sweeps for file in open_files(sweep, table, schema, damaged)]
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


def _filled(files: list[OpenFile], schema: pa.Schema, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the rows of files as a frame; the list is emptied, which frees each part's memory."""
    groups = [group for file in files for group in file.groups]
    files.clear()
    starts = np.cumsum([0, *(group.count for group in groups)]).tolist()
    columns = Columns(schema, starts.pop(), run_ids)
    if len(groups) <= FEW:
        for start, group in zip(starts, groups, strict=True):
            columns.fill(start, group.read())
        return columns.frame()
    with ThreadPoolExecutor(LOCAL_READS) as pool:
        tasks = [
            pool.submit(lambda start, group: columns.fill(start, group.read()), start, group)
            for start, group in zip(starts, groups, strict=True)
        ]
        groups.clear()
        for task in tasks:
            task.result()
    return columns.frame()
