"""Optuna's database without the second that it takes to open: the files and rows are the same.

SQLAlchemy compiles a statement once an engine. Here all sweeps of a process share one engine, which
connects to the file at hand.
"""

from __future__ import annotations

import functools
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.storages import RDBStorage
from simulated_processes import PLACES

_file = ""
"""The database that the engine connects to."""


def quick_storage(url: str, engine_kwargs: dict[str, Any]) -> RDBStorage:
    """Open a database whose tables are known to be those of this version of Optuna."""
    global _file
    del engine_kwargs
    _file = url.removeprefix("sqlite:///")
    if not Path(_file).exists():
        Path(_file).write_bytes(_empty_database())
    with pytest.MonkeyPatch.context() as patch:
        engine = _engine()
        engine.dispose()
        engine.url = sa.make_url(url)
        patch.setattr(sa.engine, "create_engine", lambda url: engine)
        checked = {"skip_compatibility_check": True, "skip_table_creation": True}
        return RDBStorage(url, **checked)


@functools.cache
def _engine() -> sa.Engine:
    return sa.create_engine("sqlite:///here", creator=lambda: sqlite3.connect(_file))


@functools.cache
def _empty_database() -> bytes:
    """Make Optuna's tables once: to make and check them takes longer than a simulated sweep."""
    with tempfile.TemporaryDirectory(dir=PLACES) as folder:
        RDBStorage(f"sqlite:///{folder}/study.db").remove_session()
        return Path(folder, "study.db").read_bytes()
