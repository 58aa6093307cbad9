"""Small tables as plain values, read without pandas, which takes longer to import than to use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from analysis.store.errors import DamagedFile
from analysis.store.folders import Folder
from analysis.store.open_files import open_files, read_whole
from analysis.store.schema import Table
from analysis.store.statuses import Status

if TYPE_CHECKING:
    from analysis.store.contract import Row


_START = datetime(1970, 1, 1, tzinfo=UTC)


def read_rows(
    sweeps: Sequence[Folder], table: Table, columns: Iterable[str]
) -> tuple[list[Row], list[DamagedFile]]:
    """Return the rows that `read_table` returns, with the key and some columns, in its order.

    Identities of older rows stay as they were written.

    Raises:
        StoreError: a newer version of the schema wrote a file.
    """
    wanted = {*table.key, *columns}
    schema = pa.schema([field for field in table.schema if field.name in {*wanted, "status"}])

    def read(damaged: dict[str, DamagedFile]) -> list[Row]:
        found: dict[tuple[object, ...], dict[str | None, Row]] = {}
        for sweep in sweeps:
            for file in open_files(sweep, table, schema, damaged):
                for row in (row for group in file.groups for row in _values(group.read())):
                    key = tuple(row[name] for name in table.key)
                    found.setdefault(key, {})[file.writer] = row
        return [_counting(by_writer) for _, by_writer in sorted(found.items())]

    rows, damaged = read_whole(read, table)
    return [{name: row.get(name) for name in wanted} for row in rows], damaged


def _values(rows: pa.Table) -> Iterator[Row]:
    """Yield rows as Python's own values; pyarrow would import pandas to make a moment."""
    moments = [field.name for field in rows.schema if pa.types.is_timestamp(field.type)]
    for name in moments:
        past = pa.chunked_array([one.view(pa.int64()) for one in rows[name].chunks], pa.int64())
        rows = rows.set_column(rows.schema.get_field_index(name), name, past)
    for row in rows.to_pylist():
        found = {name: row[name] for name in moments if row[name] is not None}
        yield {**row, **{n: _START + timedelta(microseconds=past) for n, past in found.items()}}


def _counting(by_writer: Mapping[str | None, Row]) -> Row:
    """Return the row that counts of the last ones of several writers, see `keys`."""

    def rank(writer: str | None) -> tuple[int, str]:
        if writer is None:  # the compacted table: older than all others
            return -1, ""
        status = by_writer[writer].get("status")
        return -1 if status is None else Status(status).rank, writer

    return by_writer[max(by_writer, key=rank)]
