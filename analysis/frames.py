"""From Arrow rows to a DataFrame of writable columns, each value in memory once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

FREE_TEXT = frozenset(
    {"spec_json", "versions_json", "params_json", "config_json", "error", "stop_reason", "detail"}
)
"""Text columns that seldom repeat; all others become categoricals."""

_NULLABLE = {
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}

Chunk = dict[str, Any]
"""Some rows: a column's name to its values, a NumPy array or an Arrow one."""


def detached(rows: pa.Table) -> Chunk:
    """Return the rows with their numbers copied out of Arrow's memory, which can then be freed."""
    return {
        name: rows[name].to_numpy().copy() if _plain(rows.schema.field(name)) else rows[name]
        for name in rows.schema.names
    }


def join(chunks: Sequence[Chunk], schema: pa.Schema, run_ids: Sequence[str]) -> pd.DataFrame:
    """Return chunks as one frame, emptying each on the way.

    `run_ids` are known categories of the column `run_id`: tables that share them join fast.
    """
    columns: dict[str, Any] = {}
    for field in schema:
        parts = [chunk.pop(field.name) for chunk in chunks]
        known = run_ids if field.name == "run_id" else ()
        columns[field.name] = _column(parts, field, known)
    return pd.DataFrame(columns, copy=False)


def _plain(field: pa.Field) -> bool:
    """Return whether NumPy holds a column as well as Arrow does: floats, integers of a key."""
    return pa.types.is_floating(field.type)


def _column(parts: list[Any], field: pa.Field, known: Sequence[str]) -> Any:
    if _plain(field):
        return np.concatenate(parts) if parts else np.zeros(0, field.type.to_pandas_dtype())
    arrays = [chunk for part in parts for chunk in part.chunks]
    if pa.types.is_string(field.type) and field.name not in FREE_TEXT:
        return _categorical(arrays, known)
    column = pa.chunked_array(
        [a.cast(field.type) if pa.types.is_dictionary(a.type) else a for a in arrays], field.type
    )
    if field.type in _NULLABLE and field.nullable:
        return column.to_pandas(types_mapper=_NULLABLE.get).array
    if pa.types.is_integer(field.type):
        return np.array(column.to_numpy())
    return column.to_pandas().array


def _categorical(arrays: list[Any], known: Sequence[str]) -> pd.Categorical:
    """Return a categorical whose categories are in alphabetical order."""
    arrays = [a if pa.types.is_dictionary(a.type) else a.dictionary_encode() for a in arrays]
    names = [array.dictionary.to_pylist() for array in arrays]
    categories = sorted(set(known).union(*names))
    place: dict[str | None, int] = {name: code for code, name in enumerate(categories)}
    codes = [np.zeros(0, dtype=np.int32)]
    for array, own in zip(arrays, names, strict=True):
        lookup = np.array([*(place[name] for name in own), -1], dtype=np.int32)
        codes.append(lookup[array.indices.fill_null(len(own)).to_numpy()])
    dtype = pd.CategoricalDtype(categories)
    return pd.Categorical.from_codes(np.concatenate(codes), dtype=dtype, validate=False)
