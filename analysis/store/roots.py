"""The sweeps under a root: their names, and the folders that have their tables."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path

from pyarrow import fs

from analysis.program import program
from analysis.store.errors import StoreError, StoreWarning, unknown_name
from analysis.store.folders import ElsewhereError, Folder, open_folder, with_tables
from analysis.store.places import TABLES_ADDRESS, TABLES_FOLDER


def find_sweeps(
    path: str | Path, sweeps: Sequence[str] | None = None, tables_at: str | None = None
) -> dict[str, Folder]:
    """Return the folders that have the tables of the sweeps under a root, or of one sweep.

    Args:
        path: a folder, or an address as `s3://bucket/results`.
        sweeps: names of the sweeps to find; None: all.
        tables_at: as in `analysis.load`.

    Raises:
        StoreError: the path has no results, or none of a sweep that is named.
    """
    try:
        known = (tables_at or os.environ.get(TABLES_ADDRESS), str(path))
        found, elsewhere = _find_sweeps(open_folder(path), known)
    except OSError as cause:
        raise StoreError(f"cannot read {path}: {str(cause).splitlines()[0]}") from cause
    for name in elsewhere if sweeps is None else elsewhere.keys() & set(sweeps):
        if sweeps is not None or not found:
            raise elsewhere[name]
        warnings.warn(f"left out {elsewhere[name]}", StoreWarning, 3)
    if not found:
        root = "" if str(path) == "results" else f" --root {shlex.quote(str(path))}"
        raise StoreError(
            f"no sweeps in {path} yet (as <sweep>/{TABLES_FOLDER}); start with"
            f" `{program()} run quickstart{root}`"
        )
    if sweeps is not None and (isinstance(sweeps, str) or not sweeps):
        raise StoreError(f"sweeps is a list of names, as {sorted(found)[:2]}, not {sweeps!r}")
    for name in sweeps or ():
        if name not in found:
            raise StoreError(unknown_name("sweep", name, found) + f" (in {path})")
    return {name: found[name] for name in sweeps or found}


def _find_sweeps(
    folder: Folder, known: Sequence[str | None]
) -> tuple[dict[str, Folder], dict[str, ElsewhereError]]:
    """Return the folders of tables by sweep, and why those elsewhere are not followed."""
    here = with_tables(folder, known)
    if here.child(TABLES_FOLDER).exists():
        return {folder.path.rsplit("/", 1)[-1]: here}, {}
    found: dict[str, Folder] = {}
    elsewhere: dict[str, ElsewhereError] = {}
    for info in folder.entries():
        if info.type == fs.FileType.Directory:
            try:
                found[info.base_name] = with_tables(folder.child(info.base_name), known)
            except ElsewhereError as error:
                elsewhere[info.base_name] = error
    whole = {name: one for name, one in found.items() if one.child(TABLES_FOLDER).exists()}
    return whole, elsewhere
