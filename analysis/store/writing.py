"""Files of a store, on any file system: each is there whole, or not at all.

A table is Parquet. A part is Arrow's own format: of a few rows Parquet takes 20 times as long.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.store.folders import Folder
from analysis.store.keys import last_rows
from analysis.store.parts import Written, checksum
from analysis.store.schema import TABLES, Table

ROWS_A_GROUP = 100_000
"""Rows that a reader decodes at a time: of 15 columns some 12 MB, beside what it keeps."""
FEW_ROWS = 100
"""Of fewer a compressor saves nothing, and it takes half the time."""


def latest(table: Table, parts: list[Written]) -> Iterator[pa.Table]:
    """Yield the rows of parts sorted by their key, so many at a time; the last of each key.

    Args:
        table: what the parts are parts of.
        parts: in the order of their writing; a column that one lacks is null there. The list is
            emptied, so that its memory can be used again.
    """
    if not parts:
        return
    coded = _coded(table.schema)
    rows = pa.concat_tables([_conform(part.rows, coded) for part in parts])
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


def write_part(file: Folder, rows: Mapping[str, pa.Array]) -> None:
    """Write one part whole: the rows of each table, by its name, as `row_list` has them."""
    count = sum(lists.value_lengths()[0].as_py() for lists in rows.values())
    options = pa.ipc.IpcWriteOptions(compression=None if count < FEW_ROWS else "zstd")
    part = pa.RecordBatch.from_pydict(dict(rows), metadata=_header(TABLES[next(iter(rows))]))
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, part.schema, options=options) as writer:
        writer.write_batch(part)
    content = stream.getvalue()
    with whole_file(file) as sink:
        sink.write(content)
        sink.write(checksum(content))


def row_list(table: Table, rows: Iterable[Mapping[str, Any]]) -> pa.Array:
    """Return rows of a table as one list of structures; what a row lacks is null."""
    return pa.array([[dict(row) for row in rows]], _row_list_type(table.name))


def joined(table: Table, groups: Iterable[pa.Table]) -> pa.Array:
    """Return the rows of tables as `row_list` does."""
    fields = _row_list_type(table.name).value_type.fields
    whole = pa.concat_tables(groups).cast(pa.schema(fields)).combine_chunks()
    (chunk,) = whole.to_struct_array().chunks
    return pa.ListArray.from_arrays([0, len(chunk)], chunk)


@cache
def _row_list_type(table: str) -> pa.ListType:
    # Without the columns' descriptions, which are most of the bytes of a small part.
    fields = (pa.field(field.name, field.type, field.nullable) for field in TABLES[table].schema)
    return pa.list_(pa.struct(list(fields)))


def write_rows(
    file: Folder, table: Table, groups: Iterable[pa.Table], compression: str = "zstd"
) -> None:
    """Write a table as one Parquet file, whole, with its schema's version and the time."""
    metadata = _header(table)
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


def _header(table: Table) -> dict[bytes, bytes]:
    return {**(table.schema.metadata or {}), b"written_at": str(time.time_ns()).encode()}


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
    """Return rows in the columns of a schema; what an older version lacked is null."""
    if rows.schema.equals(schema):
        return rows
    there = set(rows.schema.names)
    columns = [
        rows[field.name].cast(field.type)
        if field.name in there
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _coded(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which text is codes of words."""
    fields = [
        f.with_type(pa.dictionary(pa.int32(), f.type)) if pa.types.is_string(f.type) else f
        for f in schema
    ]
    return pa.schema(fields)


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
