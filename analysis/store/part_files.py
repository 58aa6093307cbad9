"""The content of a part: the rows of one call of a writer.

A part is one stream of Arrow's IPC format and the CRC-32 of its bytes. The stream has a single row
and a column a table, each a list of that table's rows. Parquet would take 20 times as long for the
few rows of an epoch.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pyarrow as pa

from analysis.store.errors import StoreError, unknown_name
from analysis.store.folders import Folder
from analysis.store.headers import ForeignFileError
from analysis.store.schema import TABLES, Table
from analysis.store.whole_files import whole_file

CHECKSUM_BYTES = 4
FEW_ROWS = 100
"""Below this many rows a compressor saves nothing and doubles the time of a write."""


def write_part(file: Folder, rows: Mapping[str, pa.Array]) -> None:
    """Write one part whole: for each table's name its rows, as `row_list` returns them."""
    count = sum(lists.value_lengths()[0].as_py() for lists in rows.values())
    options = pa.ipc.IpcWriteOptions(compression=None if count < FEW_ROWS else "zstd")
    part = pa.RecordBatch.from_pydict(dict(rows), metadata=TABLES[next(iter(rows))].schema.metadata)
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, part.schema, options=options) as writer:
        writer.write_batch(part)
    content = stream.getvalue()
    with whole_file(file) as sink:
        sink.write(content)
        sink.write(checksum(content))


def read_part(source: pa.NativeFile, column: int) -> pa.Table:
    """Return the rows of one table of a part, with the part's metadata.

    Args:
        source: the part, opened.
        column: the table's place among the tables that the part's name lists.

    Raises:
        ForeignFileError: the checksum is another one.
    """
    content = source.read_buffer()
    end = max(0, content.size - CHECKSUM_BYTES)
    stream = content.slice(0, end)
    if content.slice(end).to_pybytes() != checksum(stream):
        raise ForeignFileError("its content does not match its checksum")
    options = pa.ipc.IpcReadOptions(included_fields=[column], use_threads=False)
    with pa.ipc.open_stream(stream, options=options) as reader:
        (lists,) = reader.read_next_batch().columns
        metadata = reader.schema.metadata
    return pa.Table.from_struct_array(lists.flatten()).replace_schema_metadata(metadata)


def row_list(table: Table, rows: Iterable[Mapping[str, Any]]) -> pa.Array:
    """Return rows of a table as one list of structures; a column that a row leaves out is null.

    Raises:
        StoreError: a row has a column that the table lacks.
    """
    columns = set(table.schema.names)
    listed = [dict(row) for row in rows]
    for row in listed:
        # Arrow would leave such a column out without a word.
        for name in row.keys() - columns:
            raise StoreError(unknown_name(f"column of {table.name}", name, columns))
    return pa.array([listed], _row_list_type(table.name))


def joined_row_list(table: Table, groups: Iterable[pa.Table]) -> pa.Array:
    """Return the rows of Arrow tables as `row_list` does."""
    fields = _row_list_type(table.name).value_type.fields
    whole = pa.concat_tables(groups).cast(pa.schema(fields)).combine_chunks()
    (chunk,) = whole.to_struct_array().chunks
    return pa.ListArray.from_arrays([0, len(chunk)], chunk)


def checksum(stream: pa.Buffer) -> bytes:
    """Return the CRC-32 of a part's stream, as it stands at the part's end."""
    return zlib.crc32(stream).to_bytes(CHECKSUM_BYTES, "little")


@cache
def _row_list_type(table: str) -> pa.ListType:
    # Without the columns' descriptions, which are most of the bytes of a small part.
    fields = (pa.field(field.name, field.type, field.nullable) for field in TABLES[table].schema)
    return pa.list_(pa.struct(list(fields)))
