"""Names of places in a store, which also commands that read no table ask for."""

from __future__ import annotations

ELSEWHERE = "tables_at.txt"
"""The file in a sweep's folder that has the address of the tables, where they lie elsewhere."""

TABLES_ADDRESS = "SWEEPS_TABLES"
"""Environment variable with the address under which new sweeps put their tables, as
`s3://bucket/results`, and where tables are then looked for; default: the sweeps' own folders."""

TABLES_FOLDER = "tables"
"""The folder of a sweep that has its compacted tables and the folder of parts."""


def address_below(address: str, name: str) -> str:
    """Return the address of a name in the folder at an address, which may have options."""
    place, mark, options = address.partition("?")
    return f"{place.rstrip('/')}/{name}{mark}{options}"
