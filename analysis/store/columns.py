"""The columns of the tables as a frame, for those who look up a type, a unit or a meaning."""

from __future__ import annotations

import pandas as pd

from analysis.store.errors import StoreError, unknown_name
from analysis.store.schema import TABLES


def columns(table: str | None = None) -> pd.DataFrame:
    """Return a frame with a row a column: table, column, type, unit, meaning; None: of all tables.

    >>> columns("epochs").set_index("column").loc["train_seconds", ["type", "unit"]].to_list()
    ['double', 's']

    Raises:
        StoreError: no table has this name.
    """
    if table is not None and table not in TABLES:
        raise StoreError(unknown_name("table", table, TABLES))
    rows = [
        {
            "table": name,
            "column": field.name,
            "type": str(field.type),
            "unit": field.metadata[b"unit"].decode(),
            "meaning": field.metadata[b"description"].decode(),
        }
        for name in ([table] if table else TABLES)
        for field in TABLES[name].schema
    ]
    return pd.DataFrame(rows)
