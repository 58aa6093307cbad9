"""The header of a file of rows: the version of its schema, and the time of its writing."""

from __future__ import annotations

import time

import pyarrow as pa

from analysis.store.errors import StoreError
from analysis.store.schema import SCHEMA_VERSION, Table

_VERSION, _WRITTEN_AT = b"schema_version", b"written_at"


class ForeignFileError(Exception):
    """A file that this store's writer did not write; the reader names it as damaged."""


def header(table: Table) -> dict[bytes, bytes]:
    """Return the metadata of a file that is written now."""
    # In nanoseconds: the parts of two writers are ordered by it, and the later row of a key wins.
    return {**(table.schema.metadata or {}), _WRITTEN_AT: str(time.time_ns()).encode()}


def written_at(path: str, found: pa.Schema, table: Table) -> int:
    """Check that a file has rows of a table; return when it was written, in nanoseconds.

    Raises:
        StoreError: a newer version of the schema wrote it.
        ForeignFileError: no version did.
    """
    metadata = found.metadata or {}
    if _VERSION not in metadata:
        raise ForeignFileError("no schema_version in its metadata")
    version = int(metadata[_VERSION])
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by schema version {version}, this reads up to {SCHEMA_VERSION}:"
            " upgrade polyneuron-sweeps"
        )
    for name in table.key:
        if name not in found.names:
            raise ForeignFileError(f"no column {name}, which {table.name} needs")
    return int(metadata.get(_WRITTEN_AT, 0))
