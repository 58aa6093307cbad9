"""The results of sweeps as plain DataFrames; each table is read when it is first asked for."""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.store.completeness import missing_parts, short_runs, short_trials
from analysis.store.described import described, described_as_html, sweep_lines, with_parameters
from analysis.store.errors import DamagedFile, StoreError, StoreWarning, unknown_name
from analysis.store.folders import Folder
from analysis.store.reading import read_table
from analysis.store.roots import find_sweeps
from analysis.store.schema import TABLES

SHOWN_ORDER = {"runs": ["sweep", "trial", "seed", "run_id"]}
"""Tables that are shown in another order than their key's."""


def load(
    path: str | Path, sweeps: Sequence[str] | None = None, *, tables_at: str | None = None
) -> Results:
    """Return the results under a root of many sweeps, or in one sweep's folder.

    >>> load("results", ["real"]).runs["status"].value_counts().loc[["pruned", "error"]].to_dict()
    {'pruned': 1, 'error': 1}

    Args:
        path: a folder, or an address as `s3://bucket/results`.
        sweeps: names of the sweeps to read; None: all.
        tables_at: an address below which tables may lie; None: `SWEEPS_TABLES`. Pointers to
            other places are not followed.

    Raises:
        StoreError: the path has no results, or none of a sweep that is named.
    """
    return Results(str(path), find_sweeps(path, sweeps, tables_at))


class Results:
    """The tables of `analysis.schema` over one or more sweeps; `analysis.columns` explains them.

    Repeating text is categorical, integers that can be missing are nullable, times are UTC.
    `runs` and `epochs` have a row for every run and every epoch, whatever became of the run.

    >>> results = load("results")
    >>> results.names
    ('real', 'version1')
    >>> best = results.runs.nsmallest(1, "last_val_error_percent")
    >>> best[["sweep", "activation", "s", "k", "learning_rate"]].to_dict("records")
    [{'sweep': 'real', 'activation': 'polyneuron_r', 's': 3, 'k': 3, 'learning_rate': 0.003}]
    >>> results.epochs.groupby("sweep")["val_error_percent"].min().round(1).to_dict()
    {'real': 18.9, 'version1': 76.1}
    """

    def __init__(self, path: str, folders: dict[str, Folder]) -> None:
        self.path = path
        self._folders = folders
        self._damaged: dict[str, DamagedFile] = {}

    def __repr__(self) -> str:
        """Say which sweeps there are, how their runs ended, and the lowest error."""
        lines = sweep_lines(self.names, self.trials, self.runs)
        return described(self.path, lines, len(self._damaged))

    def _repr_html_(self) -> str:
        lines = sweep_lines(self.names, self.trials, self.runs)
        return described_as_html(self.path, lines, len(self._damaged))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sweeps."""
        return tuple(self._folders)

    @property
    def damaged(self) -> tuple[DamagedFile, ...]:
        """What is known so far to be damaged: files that were left out, and rows that are missing.

        Tables are looked at as they are read; `verified` reads all that can show a loss.
        """
        return tuple(self._damaged.values())

    @cached_property
    def verified(self) -> bool:
        """False if something is damaged or missing, which `damaged` then names."""
        # Read anew and in this order: a trial's end is written after its runs.
        trials = self.table("trials", ["config_id", "status", "seeds_done"])
        runs = self.table("runs", ["trial", "config_id", "status"])
        self._name_damaged(short_trials(trials, runs))
        self.table("epochs", ())
        return not self._damaged

    @cached_property
    def _missing_parts(self) -> list[DamagedFile]:
        return [one for folder in self._folders.values() for one in missing_parts(folder).values()]

    @cached_property
    def sweeps(self) -> pd.DataFrame:
        """One row a sweep."""
        return self.table("sweeps")

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a configuration, with a column for each parameter that the search drew."""
        return with_parameters(self.table("trials"))

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row a configuration and seed."""
        return self.table("runs")

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """One row an epoch of a run: the complete history."""
        return self.table("epochs")

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row a number that a training function of the user's own reported."""
        return self.table("metrics")

    def wide_metrics(self) -> pd.DataFrame:
        """Return `metrics` with one row a step of a run, and a column for each name.

        >>> load("results").wide_metrics().empty
        True
        """
        key = ["sweep", "run_id", "epoch"]
        long = self.metrics
        wide = long.pivot(index=key, columns="name", values="value").rename_axis(columns=None)
        return wide.reset_index()

    @cached_property
    def snapshots(self) -> pd.DataFrame:
        """One row a control point of an activation function at an epoch."""
        return self.table("snapshots")

    @cached_property
    def functions(self) -> pd.DataFrame:
        """One row an activation function at an epoch, with its curve."""
        return self.table("functions")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row a run: which validation images it classified correctly."""
        return self.table("predictions")

    @cached_property
    def events(self) -> pd.DataFrame:
        """One row an event: the start, the restore, the divergence, the error of a run."""
        return self.table("events")

    def table(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a table, or only its key and the given columns, which reads faster.

        >>> list(load("results").table("epochs", ["val_loss"]).columns)
        ['sweep', 'run_id', 'epoch', 'val_loss']

        Raises:
            StoreError: an unknown table or column, or a file of a newer schema version.
        """
        if name not in TABLES:
            raise StoreError(unknown_name("table", name, TABLES))
        if isinstance(columns, str):
            raise StoreError(f"columns is a list of names, as [{columns!r}]")
        table = TABLES[name]
        for column in columns or ():
            if column not in table.schema.names:
                raise StoreError(unknown_name(f"column of {name}", column, table.schema.names))
        folders = list(self._folders.values())
        frame, damaged = read_table(folders, table, columns, self._run_ids(name))
        self._name_damaged([*damaged, *self._missing_parts])
        if name == "epochs":
            self._name_damaged(short_runs(self._known_runs, frame))
        if name in SHOWN_ORDER and columns is None:
            frame = frame.sort_values(SHOWN_ORDER[name], kind="stable", ignore_index=True)
        return frame

    def only(self, sweeps: Collection[str]) -> Results:
        """Return the results of some of the sweeps."""
        return Results(self.path, {n: at for n, at in self._folders.items() if n in sweeps})

    def where(self, *, code_version: str | None = None, data_sha256: str | None = None) -> Results:
        """Return the results of the runs of one training code, or of one data set.

        >>> load("results").where(code_version="0.1.0").names
        ('real',)

        Args:
            code_version: as in `runs`, or its start; None: every code.
            data_sha256: likewise.

        Raises:
            StoreError: no run has them.
        """
        return _Chosen(self, {"code_version": code_version, "data_sha256": data_sha256})

    def query(self, sql: str) -> pd.DataFrame:
        """Return the result of an SQL query over the tables, as `select * from runs`.

        Only the tables that the query names are read, and no file besides.

        >>> load("results").query("select count(*) as n from epochs where epoch = 1")["n"].item()
        7

        Raises:
            StoreError: DuckDB is not installed, or the query is not valid.
        """
        try:
            import duckdb  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            raise StoreError("query needs DuckDB: pip install duckdb") from None
        named = [name for name in TABLES if re.search(rf"\b{name}\b", sql, re.IGNORECASE)]
        with duckdb.connect(config={"python_enable_replacements": False}) as connection:
            for name in named:
                connection.register(name, getattr(self, name))
            # SQL may come from elsewhere: it reads and writes no file, and cannot allow itself to.
            connection.execute("set enable_external_access = false; set lock_configuration = true")
            try:
                frame: pd.DataFrame = connection.sql(sql).df()
            except duckdb.Error as cause:
                raise StoreError(f"query: {_explained(str(cause), named)}") from cause
        return frame

    def _name_damaged(self, damaged: Sequence[DamagedFile]) -> None:
        for file in damaged:
            if file.path not in self._damaged:
                warnings.warn(str(file), StoreWarning, 4)
            self._damaged[file.path] = file

    def _run_ids(self, name: str) -> list[str]:
        """Return the run ids whose codes a table shares with `runs`, so that joins are fast."""
        own = name in ("sweeps", "trials", "runs")
        return [] if own else list(self._known_runs["run_id"].cat.categories)

    @cached_property
    def _known_runs(self) -> pd.DataFrame:
        """The ids of the runs, and what tells whether one lacks epochs."""
        known: pd.DataFrame | None = self.__dict__.get("runs")
        return self.table("runs", ["status", "epochs_done"]) if known is None else known


class _Chosen(Results):
    """The results of some runs, by the starts of their columns' values."""

    def __init__(self, whole: Results, starts: Mapping[str, str | None]) -> None:
        super().__init__(whole.path, whole._folders)
        self._whole, self._damaged = whole, whole._damaged
        keep = pd.Series(True, index=whole.runs.index)
        for column, start in starts.items():
            if start is not None:
                found = whole.runs[column].astype(object).fillna("")
                keep &= found.str.startswith(start)
                if not keep.any():
                    raise StoreError(unknown_name(column, start, set(found)))
        runs = whole.runs[keep]
        self._keys: dict[tuple[str, ...], set[tuple[str, ...]]] = {
            key: set(zip(*(runs[name].astype(str) for name in ("sweep", *key)), strict=True))
            for key in ((), ("trial",), ("run_id",))
        }
        self._folders = {n: at for n, at in whole._folders.items() if (n,) in self._keys[()]}

    def only(self, sweeps: Collection[str]) -> Results:
        """Return the results of some of the sweeps, still without the other runs."""
        fewer = copy.copy(self)
        fewer._whole = self._whole.only(sweeps)
        fewer._folders = {n: at for n, at in self._folders.items() if n in sweeps}
        for name in TABLES:
            fewer.__dict__.pop(name, None)  # tables that were read are of all the sweeps
        return fewer

    def table(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a table of the whole, without the rows of other runs."""
        frame = self._whole.table(name, columns)
        keys: dict[str, tuple[str, ...]] = {"sweeps": (), "trials": ("trial",)}
        key = keys.get(name, ("run_id",))
        of_row = zip(*(frame[part].astype(str) for part in ("sweep", *key)), strict=True)
        own = self._keys[key]
        if name == "events":  # those of a sweep belong to no run
            own = own | {(sweep, "") for (sweep,) in self._keys[()]}
        keep = np.fromiter((row in own for row in of_row), dtype=bool, count=len(frame))
        return frame[keep].reset_index(drop=True)


def _explained(complaint: str, tables: Sequence[str]) -> str:
    """Return DuckDB's complaint in one line, with the closest names to one that is unknown."""
    unknown = re.search(r'(Table with name|[Cc]olumn) "?(\w+)"? (does not|not found)', complaint)
    if unknown is None:
        return complaint.splitlines()[0]
    if unknown[1] == "Table with name":
        return unknown_name("table", unknown[2], TABLES)
    columns = {column for table in tables for column in TABLES[table].schema.names}
    return unknown_name("column", unknown[2], columns)
