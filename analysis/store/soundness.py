"""Rows of a file that the schema allows: anything else is damage, whatever wrote it.

A store may come from elsewhere. Names from its rows become paths and its errors become verdicts,
so each column is checked when its file is read, and a file that fails is left out whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import pyarrow as pa

from analysis.store.headers import ForeignFileError
from analysis.store.schema import Table
from analysis.store.statuses import Status

# A name that may become a folder of any system: no separator, no leading point, not too long.
_NAME = re.compile(r"[^/\\\x00-\x1f.][^/\\\x00-\x1f]{0,127}")
_NAMES = ("sweep", "run_id")
_FEW_ROWS = 1000
_DIFFERENCES = ("statistics_gap_percent",)
"""Columns in percent that are one error less another one."""
_LISTS = ("blocks_json",)
"""Columns of JSON that hold a list; any other holds names and values."""


def sound(rows: pa.Table, table: Table) -> pa.Table:
    """Return some columns of a table in the schema's types.

    Raises:
        ForeignFileError: a key without a value, an unknown status, an error outside 0 to 100 %,
            broken JSON, or a name that is none.
        pa.ArrowException: values of another type than the column's.
    """
    found = rows.schema
    for index, name in enumerate(found.names):
        rows = _in_type(rows, index, found.field(index).type, table.schema.field(name))
        column = rows.column(index)
        if name in table.key and column.null_count:
            raise ForeignFileError(f"{name} is null in {column.null_count} rows")
        if name.endswith("_percent"):
            _check_percent(name, column)
        elif name == "status" or name.endswith("_json") or name in _NAMES:
            _check_words(name, column)
    return rows


def _in_type(rows: pa.Table, index: int, found: pa.DataType, field: pa.Field) -> pa.Table:
    # Text as codes of words, as compacted tables have it, stays so: it is read faster.
    words = found.value_type if pa.types.is_dictionary(found) else found
    if words == field.type:
        return rows
    return rows.set_column(index, field, rows.column(index).cast(field.type))


def _check_percent(name: str, column: pa.ChunkedArray) -> None:
    import pyarrow.compute as pc

    # NaN is an error that a diverged epoch has not, and passes both comparisons.
    ends = pc.min_max(column)  # passes NaN by; one kernel, since most parts have one row
    low, high = ends["min"].as_py(), ends["max"].as_py()
    least = -100 if name in _DIFFERENCES else 0
    if low is not None and (low < least or high > 100):
        outside = column.filter(pc.or_(pc.less(column, least), pc.greater(column, 100)))
        raise ForeignFileError(f"{name} is {outside[0].as_py()} %, outside {least} to 100")


def _check_words(name: str, column: pa.ChunkedArray) -> None:
    for word in _words(column):
        if word is None:
            continue
        if name in _NAMES:
            # An event of the whole sweep has no run.
            if not _NAME.fullmatch(word) and (word or name == "sweep"):
                raise ForeignFileError(f"{name} {word!r} is no name")
        elif name == "status":
            if word not in list(Status):
                raise ForeignFileError(f"no status {word!r}")
        elif name in _LISTS:
            if not isinstance(json.loads(word), list):
                raise ForeignFileError(f"{name} holds no list: {word[:40]!r}")
        elif not isinstance(json.loads(word), dict):
            raise ForeignFileError(f"{name} holds no names and values: {word[:40]!r}")


def _words(column: pa.ChunkedArray) -> Iterable[str | None]:
    """Return the different words of a column, in any order."""
    if len(column) <= _FEW_ROWS:
        return set(column.to_pylist())
    import pyarrow.compute as pc  # as long as all else that a command needs which lists sweeps

    words: list[str | None] = pc.unique(column).to_pylist()
    return words
