"""Compacted tables: Parquet files whose text columns are read as codes of words."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.store.folders import Folder
from analysis.store.schema import Table
from analysis.store.whole_files import whole_file


def write_table(
    file: Folder, table: Table, groups: Iterable[pa.Table], compression: str = "zstd"
) -> None:
    """Write a table as one Parquet file, whole; each group of rows becomes a row group."""
    metadata = table.schema.metadata
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    words = [field.name for field in table.schema if field.name not in floats]
    with (
        whole_file(file) as sink,
        pq.ParquetWriter(
            sink,
            table.schema.with_metadata(metadata),
            compression=compression,
            # Measured values seldom repeat: with their bytes apart they read three times as fast.
            use_dictionary=words,
            use_byte_stream_split=floats,
        ) as writer,
    ):
        for rows in groups:
            writer.write_table(rows.replace_schema_metadata(metadata))


def open_table(
    source: pa.NativeFile, schema: pa.Schema, metadata: pq.FileMetaData | None = None
) -> pq.ParquetFile:
    """Open a Parquet file of a table; `metadata`, once read, saves reading it again."""
    text = [field.name for field in schema if pa.types.is_string(field.type)]
    try:
        return pq.ParquetFile(source, metadata=metadata, read_dictionary=text)
    except KeyError:  # an older version had no such column
        found = set(pq.ParquetFile(source).schema_arrow.names)
        text = [name for name in text if name in found]
        return pq.ParquetFile(source, metadata=metadata, read_dictionary=text)
