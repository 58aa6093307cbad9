"""Parquet files of a store, on any file system: each is there whole, or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.folders import Folder
from analysis.keys import last_rows
from analysis.schema import Table

ROWS_A_GROUP = 100_000
"""Rows that a reader decodes at a time: of 15 columns some 12 MB, beside what it keeps."""


def latest(table: Table, parts: list[tuple[str, pa.Table]]) -> Iterator[pa.Table]:
    """Yield the rows of parts sorted by their key, so many at a time; the last of each key.

    Args:
        table: what the parts are parts of.
        parts: names and rows in the order of their writing; a column that one lacks is null
            there. The list is emptied, so that its memory can be used again.
    """
    if not parts:
        return
    rows = pa.concat_tables([_conform(part, table.schema) for _, part in parts])
    parts.clear()
    columns = {}
    for name in table.schema.names:
        columns[name] = rows[name].combine_chunks()
        rows = rows.drop_columns(name)  # so that no two copies of the table are in memory
    joined = pa.table(columns)
    kept = last_rows([_sortable(joined[name]) for name in table.key])
    for start in range(0, len(joined) if kept is None else len(kept), ROWS_A_GROUP):
        here = slice(start, start + ROWS_A_GROUP)
        some = joined.slice(start, ROWS_A_GROUP) if kept is None else joined.take(kept[here])
        yield some.cast(table.schema)


def write_rows(
    file: Folder, table: Table, groups: Iterable[pa.Table], compression: str = "zstd"
) -> None:
    """Write one Parquet file whole, with the schema's version and the time of writing."""
    metadata = {**(table.schema.metadata or {}), b"written_at": str(time.time_ns()).encode()}
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    words = [field.name for field in table.schema if field.name not in floats]
    with (
        whole_file(file) as sink,
        pq.ParquetWriter(
            sink,
            table.schema.with_metadata(metadata),
            compression=compression,
            # measured values seldom repeat: with their bytes apart they read thrice as fast
            use_dictionary=words,
            use_byte_stream_split=floats,
        ) as writer,
    ):
        for rows in groups:
            writer.write_table(rows.replace_schema_metadata(metadata))


@contextmanager
def whole_file(file: Folder) -> Iterator[Any]:
    """Open a file to write that is there, once written, whole and durable, or not at all."""
    if not file.local:
        content = pa.BufferOutputStream()
        yield content
        with file.filesystem.open_output_stream(file.path) as object_:
            object_.write(content.getvalue())  # an object appears when its upload is complete
        return
    path = Path(file.path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _conform(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows in a schema's columns, text as codes; what an older version lacked is null."""
    there = set(rows.schema.names)
    columns = []
    for field in schema:
        kind = (
            pa.dictionary(pa.int32(), field.type) if pa.types.is_string(field.type) else field.type
        )
        column = rows[field.name] if field.name in there else pa.nulls(rows.num_rows, kind)
        columns.append(column.cast(kind))
    return pa.table(columns, names=schema.names)


def _sortable(column: pa.ChunkedArray) -> np.ndarray:
    """Return integers that sort as the values of a key's column do, (rows,)."""
    if not pa.types.is_dictionary(column.type):
        return column.cast(pa.int64()).to_numpy()
    array = column.combine_chunks()
    words = np.array(array.dictionary.to_pylist(), dtype=object)
    ranks = np.empty(len(words), np.int32)
    ranks[np.argsort(words, kind="stable")] = np.arange(len(words), dtype=np.int32)
    return ranks[array.indices.to_numpy()]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
