"""Converts Arrow rows to a DataFrame of writable columns, with each value in memory once.

pyarrow's own conversion has the whole table in memory beside the frame: of 5 million compacted
epochs it takes 1.5 times the time and the memory (`tests/benchmarks/frame_conversion.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.store.keys import last_rows, ranked_rows
from analysis.store.schema import FREE_TEXT, Table
from analysis.store.statuses import ranks

MANY_ROWS = 10_000
FEW_WORDS = 20


class Columns:
    """The columns of a frame of known length, filled some rows at a time by several threads."""

    def __init__(self, schema: pa.Schema, rows: int, run_ids: Sequence[str] = ()) -> None:
        """Make empty columns.

        Args:
            schema: names and types of the columns.
            rows: the length of the frame.
            run_ids: categories that the column `run_id` has in any case: tables that share their
                categories join fast.
        """
        self._columns = {
            field.name: _column(field, rows, run_ids if field.name == "run_id" else ())
            for field in schema
        }

    def fill(self, start: int, rows: pa.Table) -> None:
        """Put rows at the index `start` and after; a column that they lack is null there."""
        found = set(rows.schema.names)
        for name, column in self._columns.items():
            column.fill(start, rows[name] if name in found else pa.nulls(rows.num_rows))

    def frame(self) -> pd.DataFrame:
        """Return the frame and give up the columns: nothing can be filled afterwards."""
        names = list(self._columns)
        return pd.DataFrame({name: self._columns.pop(name).array() for name in names}, copy=False)


def last_of_each_key(
    frame: pd.DataFrame, key: Sequence[str], writers: np.ndarray | None = None
) -> pd.DataFrame:
    """Return a frame sorted by its key, with one row of each key and a fresh index.

    A given frame of many rows loses its columns, so that no two copies of one are in memory.

    Args:
        frame: each writer's rows in the order in which they were written.
        key: names of columns.
        writers: from `writers_of`; None: the last row of each key is taken.
    """
    keys = [_sortable(frame[name]) for name in key]
    if writers is None:
        kept = last_rows(keys)
    else:
        status = frame["status"].cat
        kept = ranked_rows(keys, writers, ranks(status.categories)[status.codes.to_numpy()])
    if kept is None:
        return frame
    replaced = len(kept) < len(frame)
    names = list(map(str, frame.columns))
    if len(frame) > MANY_ROWS:
        taken = {name: frame.pop(name).array.take(kept) for name in names}
    else:  # to take a column out costs more than the few rows
        taken = {name: frame[name].array.take(kept) for name in names}
    if replaced:
        # Words of replaced rows go; run ids stay, since all tables share them.
        taken = {n: one if n == "run_id" else _used_words(one) for n, one in taken.items()}
    frame = pd.DataFrame(taken, copy=False)
    return frame


def _used_words(column: Any) -> Any:
    """Return a column; of words without the categories that no row has."""
    if not isinstance(column, pd.Categorical):
        return column
    used = np.zeros(len(column.categories) + 1, bool)
    used[column.codes] = True  # a missing value, -1, is the last one
    return column if used[:-1].all() else column.remove_unused_categories()


def frame_of(rows: pa.Table, table: Table) -> pd.DataFrame:
    """Return Arrow rows of a table as a frame."""
    columns = Columns(table.schema, rows.num_rows)
    columns.fill(0, rows)
    return last_of_each_key(columns.frame(), table.key)


def _sortable(column: pd.Series) -> np.ndarray:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy()
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.to_numpy()
    return column.astype("int64").to_numpy()


class _Column(Protocol):
    def fill(self, start: int, values: Any) -> None: ...

    def array(self) -> Any: ...


def _column(field: pa.Field, rows: int, known: Sequence[str]) -> _Column:
    if pa.types.is_integer(field.type) and field.nullable:
        return _NullableIntegers(field, rows)
    if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
        return _Numbers(field, rows)
    if pa.types.is_string(field.type) and field.name not in FREE_TEXT:
        return _Words(rows, known)
    return _Others(field)


class _Numbers:
    """Floating-point numbers, with NaN for null, or integers that are never null."""

    def __init__(self, field: pa.Field, rows: int) -> None:
        self._values = np.empty(rows, field.type.to_pandas_dtype())

    def fill(self, start: int, values: Any) -> None:
        here = slice(start, start + len(values))
        none = values.null_count == len(values) > 0
        self._values[here] = np.nan if none else values.to_numpy()

    def array(self) -> np.ndarray:
        return self._values


class _NullableIntegers:
    def __init__(self, field: pa.Field, rows: int) -> None:
        self._type = field.type
        self._values = np.empty(rows, field.type.to_pandas_dtype())
        self._missing = np.zeros(rows, bool)

    def fill(self, start: int, values: Any) -> None:
        here = slice(start, start + len(values))
        if values.null_count:
            self._missing[here] = values.is_null().to_numpy(zero_copy_only=False)
            values = values.cast(self._type).fill_null(0)
        self._values[here] = values.to_numpy()

    def array(self) -> pd.arrays.IntegerArray:
        return pd.arrays.IntegerArray(self._values, self._missing)


class _Words:
    """A categorical column, whose categories are in alphabetical order."""

    def __init__(self, rows: int, known: Sequence[str]) -> None:
        self._codes = np.full(rows, -1, np.int32)
        self._places: dict[str, int] = {word: code for code, word in enumerate(known)}
        self._lock = Lock()

    def fill(self, start: int, values: Any) -> None:
        chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
        for chunk in chunks:
            if chunk.null_count < len(chunk):
                self._fill(start, chunk)
            start += len(chunk)

    def _fill(self, start: int, chunk: Any) -> None:
        if not pa.types.is_dictionary(chunk.type):
            chunk = chunk.dictionary_encode()
        words = chunk.dictionary.to_pylist()
        with self._lock:
            places = [self._places.setdefault(word, len(self._places)) for word in words]
        lookup = np.array([*places, -1], np.int32)
        codes = chunk.indices.fill_null(len(words)).to_numpy()
        np.take(lookup, codes, out=self._codes[start : start + len(chunk)], mode="clip")

    def array(self) -> Any:
        words = sorted(self._places)
        kind = np.min_scalar_type(-max(len(words), 1))
        if words == list(self._places):
            codes = self._codes.astype(kind)
        else:
            ranks = {word: rank for rank, word in enumerate(words)}
            codes = np.array([*(ranks[word] for word in self._places), -1], kind)[self._codes]
        kind_of_words = _few_words(tuple(words)) if len(words) <= FEW_WORDS else _dtype_of(words)
        return pd.Categorical.from_codes(codes, dtype=kind_of_words, validate=False)


def _dtype_of(words: Sequence[str]) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(list(words))


# pandas takes 0.1 ms to make one, a hundred times what the words of a small column do.
_few_words = lru_cache(maxsize=1000)(_dtype_of)


class _Others:
    """Free text, lists, bytes and times, as pyarrow converts them."""

    def __init__(self, field: pa.Field) -> None:
        self._field = field
        self._parts: dict[int, Any] = {}

    def fill(self, start: int, values: Any) -> None:
        self._parts[start] = values.cast(self._field.type)

    def array(self) -> Any:
        parts = [self._parts[start] for start in sorted(self._parts)]
        chunks = [c for p in parts for c in (p.chunks if isinstance(p, pa.ChunkedArray) else [p])]
        column = pa.chunked_array(chunks, self._field.type)
        return column.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get).array
