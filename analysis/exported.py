"""Frames as text that other programs read: digit for digit, and harmless in a spreadsheet."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of text that a spreadsheet would run as a formula, whoever wrote the name."""


def csv_text(frame: pd.DataFrame) -> str:
    """Return a frame as CSV; text that begins like a formula has an apostrophe before it."""
    safe = frame.rename(columns=_harmless)
    for name in safe.columns:
        column = safe[name]
        if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
            safe = safe.assign(**{name: column.astype(object).map(_harmless)})
    text = str(safe.to_csv(index=False, lineterminator="\n"))
    # Python's writer quotes a carriage return only where lines end with one.
    return str(safe.to_csv(index=False, lineterminator="\r\n")) if "\r" in text else text


def json_lines(frame: pd.DataFrame) -> str:
    """Return a frame as a JSON object a row; what is missing or not finite is null."""
    columns = [(str(name), [_plain(one) for one in frame[name]]) for name in frame.columns]
    rows = zip(*(values for _, values in columns), strict=True)
    names = [name for name, _ in columns]
    lines = (json.dumps(dict(zip(names, row, strict=True)), allow_nan=False) for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _harmless(value: object) -> object:
    text = isinstance(value, str) and value.startswith(_FORMULA_STARTS)
    return f"'{value}" if text else value


def _plain(value: Any) -> object:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
