"""One number per run, with an explicit outcome for every run that has none."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.store.errors import unknown_name
from analysis.store.results import Results
from analysis.store.schema import EPOCHS
from analysis.store.statuses import Status

At = Literal["last", "best", "pre_drop"] | int

RUN = ["sweep", "run_id"]
"""The key of `runs`."""

SEED = ["config_id", "seed"]
"""One seed of one configuration: one run, however many sweeps have it."""

CONFIGURATION = (
    "activation",
    "scope",
    "init",
    "s",
    "k",
    "lambda_sum",
    "lambda_prod",
    "learning_rate",
)
"""Columns of `runs` in which configurations differ."""

SETTING = ("benchmark", "validation", "epochs_planned")
"""Columns of `runs` that must be equal for two errors to be comparable."""

STANDING = ("code_version", "data_sha256", "config_json")
"""Columns of `runs` that must be equal, besides, for two runs to stand together."""

RUN_METRICS = (
    "epoch_seconds",
    "data_seconds",
    "setup_seconds",
    "train_seconds",
    "evaluation_seconds",
    "snapshot_seconds",
    "checkpoint_seconds",
    "images_per_second",
    "parameters",
    "activation_functions",
)
"""Metrics that `runs` has, one number per run."""

EPOCH_METRICS = tuple(
    field.name
    for field in EPOCHS.schema
    if field.name not in EPOCHS.key and not pa.types.is_string(field.type)
)
"""Metrics that `epochs` has, one number per epoch."""

OUTCOMES = {
    Status.COMPLETED: "measured",
    Status.DIVERGED: "diverged",
    Status.PRUNED: "censored",
    Status.INTERRUPTED: "censored",
    Status.RUNNING: "censored",
    Status.ERROR: "missing",
}
"""The outcome of a run's final value, by the run's status.

A diverged run failed by itself, which is a result. A censored run was stopped or is not done.
A missing run was lost to its surroundings, so another attempt with its seed can replace it.
"""

UNFINISHED = (Status.RUNNING, Status.INTERRUPTED)
"""Statuses of runs and trials that go on, by themselves or when their sweep is resumed."""


def values(results: Results, metric: str = "val_error_percent", at: At = "last") -> pd.DataFrame:
    """Return each run's configuration, `value` and `outcome`.

    >>> values(analysis.load("results/real"))["outcome"].value_counts().to_dict()
    {'measured': 4, 'censored': 1, 'diverged': 1, 'missing': 1}

    Args:
        results: from `load`.
        metric: a column of `epochs`, or one of `RUN_METRICS`.
        at: `last`: after the last planned epoch, so only completed runs have a value. `best`:
            the smallest of a completed run's epochs, which is optimistic. `pre_drop`: mean over
            the last quarter, at most 20, of the epochs before the learning rate first falls.
            A number: after that epoch, whatever became of the run later.

    Returns:
        One row per run: the identifying and configuration columns of `runs`, those of its code and
        data, `value` (NaN unless measured) and `outcome`: measured, diverged, censored or missing.

    Raises:
        ValueError: no runs, an unknown metric, or an `at` that the metric does not have.
    """
    if metric not in (*EPOCH_METRICS, *RUN_METRICS):
        raise ValueError(unknown_name("metric", metric, {*EPOCH_METRICS, *RUN_METRICS}))
    if at not in ("last", "best", "pre_drop") and not (isinstance(at, int) and at >= 1):
        raise ValueError(f"at is 'last', 'best', 'pre_drop' or an epoch from 1, not {at!r}")
    if results.runs.empty:
        raise ValueError(f"no runs yet in {results.path}")
    frame = unchecked_values(results, metric, at)
    if frame.empty:
        raise ValueError(
            f"all runs in {results.path} are of training functions of the user's own: their"
            " numbers are in Results.metrics and in the column metric_value of Results.runs"
        )
    if at == "pre_drop" and frame["value"].isna().all():
        raise ValueError("at='pre_drop' needs a learning rate that falls: it falls in no run")
    return frame


def unchecked_values(results: Results, metric: str, at: At) -> pd.DataFrame:
    """Return `values` without its checks: a store without runs gives no rows."""
    runs = results.runs
    identity = ["sweep", "run_id", "trial", "config_id", "seed", "status", "epochs_done"]
    frame = runs[[*identity, *SETTING, *CONFIGURATION, *STANDING]].copy()
    frame["value"] = _measured(results, metric, at)
    frame["outcome"] = _outcomes(frame, ended=at in ("last", "best"))
    frame.loc[frame["outcome"] != "measured", "value"] = float("nan")
    # runs of training functions of the user's own have no errors to compare
    return frame[~runs["sweep"].isin(function_sweeps(results))]


def function_sweeps(results: Results) -> list[str]:
    """Return the sweeps whose trials a training function of the user's own trained."""
    sweeps = results.sweeps
    return sweeps.loc[sweeps["trainer"].notna(), "sweep"].astype(str).tolist()


def independent(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of `values` with each run once, measured if any sweep has its value.

    Two sweeps that share a run have one seed's result, which must not count twice. Of two values
    that of the first sweep by name counts. A run that diverged in one sweep and completed in
    another is in conflict, and has no value.
    """
    conflict = in_conflict(frame)
    if conflict.any():
        outcome = frame["outcome"].astype(object).mask(conflict, "conflict")
        value = frame["value"].mask(conflict)
        frame = frame.assign(outcome=outcome, value=value)
    # measured rows first, of which duplicates keep the first
    order = np.lexsort((frame["sweep"].astype(str), frame["outcome"].ne("measured")))
    return frame.take(order).drop_duplicates(SEED).sort_index()


def in_conflict(frame: pd.DataFrame) -> pd.Series:
    """Return True for rows of a run that diverged in one sweep and completed in another."""
    status, keys = frame["status"].astype(str), [frame[name] for name in SEED]
    both = [
        (status == one).groupby(keys, observed=True).transform("any")
        for one in (Status.COMPLETED, Status.DIVERGED)
    ]
    return both[0] & both[1]


def _measured(results: Results, metric: str, at: At) -> pd.Series:
    """Return the metric of each run, in the order of `runs`, whatever the run's outcome."""
    runs = results.runs
    if at == "last" and metric in RUN_METRICS:
        found = runs[metric].astype("float64")
        # In older rows it has the evaluation in it, and cannot be compared.
        return (
            found.where(runs["evaluation_seconds"].notna()) if metric == "train_seconds" else found
        )
    if at == "last" and metric == "val_error_percent":
        return runs["last_val_error_percent"]  # spares reading the epochs, the largest table
    if metric not in EPOCH_METRICS:
        raise ValueError(f"{metric} is one number a run: use at='last'")
    columns = [metric, "learning_rate"] if at == "pre_drop" else [metric]
    epochs = results.table("epochs", columns)
    return in_order_of(runs, _at_epoch(epochs, runs, metric, at))


def in_order_of(runs: pd.DataFrame, found: pd.Series) -> pd.Series:
    """Return numbers by sweep and run as a column of `runs`, NaN for a run that has none."""
    # as text: categories of two tables need not be the same, and then do not match
    keys = pd.MultiIndex.from_frame(runs[RUN].astype(str))
    found.index = pd.MultiIndex.from_arrays(
        [found.index.get_level_values(level).astype(str) for level in (0, 1)]
    )
    return pd.Series(found.reindex(keys).to_numpy("float64"), index=runs.index)


def _at_epoch(epochs: pd.DataFrame, runs: pd.DataFrame, metric: str, at: At) -> pd.Series:
    if at == "best":
        return epochs.groupby(RUN)[metric].min()
    if at == "pre_drop":
        return _before_drop(epochs, metric)
    if at == "last":
        final = runs[[*RUN, "epochs_planned"]].rename(columns={"epochs_planned": "epoch"})
        chosen = epochs.merge(final, on=[*RUN, "epoch"])
    else:
        chosen = epochs[epochs["epoch"] == at]
    return chosen.set_index(RUN)[metric]


def _before_drop(epochs: pd.DataFrame, metric: str) -> pd.Series:
    grouped = epochs.groupby(RUN)["learning_rate"]
    # rounding must not read as a drop
    before = epochs["learning_rate"] > 0.999 * grouped.transform("first")
    dropped = ~before.groupby([epochs[name] for name in RUN]).transform("all")
    kept = epochs[before & dropped]
    length = kept.groupby(RUN)["epoch"].transform("size")
    window = (length // 4).clip(1, 20)
    return kept[kept["epoch"] > length - window].groupby(RUN)[metric].mean()


def _outcomes(frame: pd.DataFrame, ended: bool) -> pd.Series:
    """Return each value's outcome; `ended`: only a completed run can have the value."""
    outcomes = frame["status"].astype(str).map(OUTCOMES)
    found = frame["value"].notna()
    # a completed run whose epochs were lost
    outcomes = outcomes.mask(~found & (outcomes == "measured"), "missing")
    if not ended:
        outcomes = outcomes.mask(found, "measured")
    return outcomes.astype("category")
