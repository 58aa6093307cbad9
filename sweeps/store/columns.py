"""A record's fields against the columns of its table, compared when the package is imported."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from analysis.store.schema import Table


def check_fields(kind: type, table: Table, *, besides: Collection[str] = ()) -> None:
    """Check that each field of a record is a column: a renamed one would be stored as null.

    Args:
        kind: a dataclass whose values become rows.
        table: the table of those rows.
        besides: fields that are not stored under their own name.

    Raises:
        TypeError: names the fields that are no column.
    """
    names = {field.name for field in dataclasses.fields(kind)}
    unknown = sorted(names - set(besides) - set(table.schema.names))
    if unknown:
        raise TypeError(
            f"{kind.__name__}.{', '.join(unknown)}: the table {table.name!r} has no such column;"
            " rename the field, or add the column to analysis/store/schema.py"
        )
