"""The rows of several parts as one sequence, in which each key has one row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from analysis.store.keys import last_rows, ranked_rows, writers_of
from analysis.store.open_files import PartRows
from analysis.store.schema import Table
from analysis.store.statuses import ranks

ROWS_A_GROUP = 100_000
"""Rows that a reader decodes at a time: 12 MB of 15 columns, beside the frame that it fills."""


def merged(table: Table, parts: list[PartRows]) -> Iterator[pa.Table]:
    """Yield the rows of parts in groups, sorted by their key, with one row of each.

    Args:
        table: the table of the rows.
        parts: as `read_parts` returns them; a column that one lacks is null there. The list is
            emptied, so that its memory can be used again.
    """
    if not parts:
        return
    coded = _coded(table.schema)
    writers = writers_of([(part.writer, len(part.rows)) for part in parts], table)
    rows = pa.concat_tables([_conform(part.rows, coded) for part in parts])
    parts.clear()
    columns = {}
    for name in table.schema.names:
        columns[name] = rows[name].combine_chunks()
        rows = rows.drop_columns(name)  # so that no two copies of the table are in memory
    joined = pa.table(columns)
    keys = [_sortable(joined[name]) for name in table.key]
    if writers is None:
        kept = last_rows(keys)
    else:
        kept = ranked_rows(keys, writers, _status_ranks(joined["status"]))
    for start in range(0, len(joined) if kept is None else len(kept), ROWS_A_GROUP):
        here = slice(start, start + ROWS_A_GROUP)
        some = joined.slice(start, ROWS_A_GROUP) if kept is None else joined.take(kept[here])
        yield some.cast(table.schema)


def _conform(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows in the columns of a schema; a column that an older version lacked is null."""
    if rows.schema.equals(schema):
        return rows
    found = set(rows.schema.names)
    columns = [
        rows[field.name].cast(field.type)
        if field.name in found
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _coded(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which text is codes of words: sorting codes is cheaper."""
    fields = [
        f.with_type(pa.dictionary(pa.int32(), f.type)) if pa.types.is_string(f.type) else f
        for f in schema
    ]
    return pa.schema(fields)


def _status_ranks(column: pa.ChunkedArray) -> np.ndarray:
    array = column.combine_chunks()
    by_code = ranks(array.dictionary.to_pylist())
    found: np.ndarray = by_code[np.asarray(array.indices.fill_null(-1))]
    return found


def _sortable(column: pa.ChunkedArray) -> np.ndarray:
    """Return integers (rows,) that sort as the values of a key's column do."""
    if not pa.types.is_dictionary(column.type):
        return np.asarray(column.cast(pa.int64()))
    array = column.combine_chunks()
    words = np.array(array.dictionary.to_pylist(), dtype=object)
    ranks = np.empty(len(words), np.int32)
    ranks[np.argsort(words, kind="stable")] = np.arange(len(words), dtype=np.int32)
    sortable: np.ndarray = ranks[np.asarray(array.indices)]
    return sortable
