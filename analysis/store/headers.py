"""The header of a file of rows: the version of its schema."""

from __future__ import annotations

import pyarrow as pa

from analysis.store.errors import StoreError
from analysis.store.schema import SCHEMA_VERSION, Table

_VERSION = b"schema_version"


class ForeignFileError(Exception):
    """A file that this store's writer did not write; the reader names it as damaged."""


def check_header(path: str, found: pa.Schema, table: Table) -> None:
    """Check that a file has rows of a table.

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
