"""Rows of every identity version with today's identity and form of their configuration.

`run_id` stays as it was written: it is the key of a store's rows, files and checkpoints. So two
old runs that turn out to be one configuration stay two rows, with one `config_id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.store.identity1 import current
from analysis.store.schema import RUNS, TRIALS, Table

IDENTITY_VERSION = 2
"""The version of `config_id` and `config_json` in rows that are written today."""

IDENTITY = ("config_id", "config_json", "identity_version")
"""Columns of `runs` that say what a run trained."""


def read_aside(table: Table, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that `of_today` needs for those that are read."""
    if table.name == RUNS.name and set(columns) & set(IDENTITY):
        return IDENTITY
    if table.name == TRIALS.name and "config_id" in columns:
        return ("identity_version",)
    return ()


def older(frame: pd.DataFrame) -> bool:
    """Return whether some rows have an identity of version 1, which wrote no version."""
    return "identity_version" in frame and bool(frame["identity_version"].isna().any())


def runs_of_today(runs: pd.DataFrame) -> pd.DataFrame:
    """Give rows of `runs` of version 1 their identity of today; `IDENTITY` must be read."""
    known = _current(runs)
    texts = runs["config_json"].astype(object)
    old = runs["identity_version"].isna() & texts.isin(list(known))
    if not old.any():
        return runs
    ids, forms = texts[old].map(lambda t: known[t][0]), texts[old].map(lambda t: known[t][1])
    texts[old] = forms
    return runs.assign(
        config_id=_replaced(runs["config_id"], old, ids),
        config_json=texts.astype(runs["config_json"].dtype),
        identity_version=runs["identity_version"].mask(old, IDENTITY_VERSION),
    )


def trials_of_today(trials: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Give rows of `trials` of version 1 their identity of today.

    Args:
        trials: rows with `config_id` and `identity_version`.
        runs: rows with `IDENTITY` as written. A trial without one keeps its identity as written.
    """
    known = _current(runs)
    written = zip(runs["config_id"].astype(object), runs["config_json"].astype(object), strict=True)
    ids = {config_id: known[text][0] for config_id, text in written if text in known}
    own = trials["config_id"].astype(object)
    old = trials["identity_version"].isna() & own.isin(list(ids))
    if not old.any():
        return trials
    return trials.assign(
        config_id=_replaced(trials["config_id"], old, own[old].map(ids)),
        identity_version=trials["identity_version"].mask(old, IDENTITY_VERSION),
    )


def row_of_today(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `runs` with today's identity."""
    text = row.get("config_json")
    known = _converted(text) if text and row.get("identity_version") is None else None
    if known is None:
        return dict(row)
    config_id, form = known
    return {
        **row,
        "config_id": config_id,
        "config_json": form,
        "identity_version": IDENTITY_VERSION,
    }


def _current(runs: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Return today's identity and form by the text that version 1 wrote."""
    texts = runs.loc[runs["identity_version"].isna(), "config_json"].dropna().unique()
    found = {str(text): _converted(str(text)) for text in texts}
    return {text: known for text, known in found.items() if known is not None}


def _converted(text: str) -> tuple[str, str] | None:
    try:
        return current(text)
    except (ValueError, TypeError, LookupError, AttributeError):
        return None  # no configuration that version 1 wrote: the row keeps what it has


def _replaced(column: pd.Series, rows: pd.Series, values: pd.Series) -> pd.Series:
    words = column.astype(object)
    words[rows] = values
    return words.astype(pd.CategoricalDtype(sorted(words.dropna().unique())))
