"""Databases of studies: SQLite in the sweep's folder, or the server of SWEEPS_STUDY_URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from analysis.store.errors import StoreError
from sweeps.store.paths import SweepPaths

URL_VARIABLE = "SWEEPS_STUDY_URL"
"""Names a database for the studies, as postgresql://user:password@host/name."""


def database_url(paths: SweepPaths) -> str:
    """Return the address of a sweep's study; it may hold a password, so show it to nobody."""
    url = os.environ.get(URL_VARIABLE)
    return f"sqlite:///{paths.study}" if url is None or paths.study.exists() else url


def shown_url(url: str) -> str:
    """Write a database's address without its password."""
    return make_url(url).render_as_string(hide_password=True)


@contextmanager
def without_study_url() -> Iterator[None]:
    """Keep the database's address, and so its password, from processes that start meanwhile."""
    url = os.environ.pop(URL_VARIABLE, None)
    try:
        yield
    finally:
        if url is not None:
            os.environ[URL_VARIABLE] = url


@contextmanager
def open_database(url: str) -> Iterator[RDBStorage]:
    """Open a database of studies.

    Yields:
        Optuna's storage of the database.

    Raises:
        StoreError: the address names no database, or none answers there.
    """
    # SQLAlchemy's own default is the older driver, psycopg2.
    url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        # The ping notices a server that was started anew since the connection was last used.
        yield RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreError(f"{URL_VARIABLE} names no database: {_first_line(error)}") from None
    except (DBAPIError, optuna.exceptions.StorageInternalError) as error:
        cause = getattr(error, "orig", None) or error.__cause__ or error
        raise StoreError(f"no study in {shown_url(url)}: {_first_line(cause)}") from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
