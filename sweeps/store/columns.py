"""Fields of records against columns of tables, compared when the records' module is imported.

A row is written by the names of its fields. So a field that is renamed on one side alone would
become a column of nulls, were it not refused here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from analysis.store.schema import Table


def check_fields(kind: type, table: Table, *, besides: Collection[str] = ()) -> None:
    """Check that each field of a record has a column of its name in a table.

    Args:
        kind: the record, a dataclass.
        table: the table that the record is written to.
        besides: fields that are kept elsewhere, or not at all.

    Raises:
        TypeError: a field has no column, or a name in `besides` is no field or has a column.
    """
    fields, columns = set(field_names(kind)), set(table.schema.names)
    for name in sorted(fields - columns - set(besides)):
        raise TypeError(
            f"{kind.__name__}.{name} has no column in the table {table.name}: add the column to"
            " analysis/store/schema.py, or name the field in `besides`"
        )
    for name in sorted(set(besides) - (fields - columns)):
        found = "has a column" if name in columns else "is no field"
        raise TypeError(f"{kind.__name__}.{name} is named in `besides` and {found} of {table.name}")


def check_filled(table: Table, *filled: Collection[str]) -> None:
    """Check that each column of a table has a source.

    Args:
        table: a table that is written from several sources.
        filled: the columns that each source fills.

    Raises:
        TypeError: no source fills a column, or a source fills a column that the table lacks.
    """
    columns, sources = set(table.schema.names), set().union(*filled)
    for name in sorted(columns - sources):
        raise TypeError(f"nothing fills the column {name} of the table {table.name}")
    for name in sorted(sources - columns):
        raise TypeError(f"the table {table.name} has no column {name}, which a row has")


def field_names(kind: type) -> tuple[str, ...]:
    """Return the names of a dataclass's fields."""
    return tuple(field.name for field in dataclasses.fields(kind))
