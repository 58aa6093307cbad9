"""The trials of a sweep in their order, each with the mean over its seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.measures.values import CONFIGURATION, OUTCOMES, values
from analysis.statistics.intervals import pooled_deviation
from analysis.store.metric import Metric, metric_of
from analysis.store.results import Results
from analysis.store.statuses import Status

MOST_URGENT_FIRST = (
    Status.RUNNING,
    Status.ERROR,
    Status.DIVERGED,
    Status.INTERRUPTED,
    Status.PRUNED,
    Status.COMPLETED,
)
"""A trial has the most urgent status of its runs."""


_OWN = ("mean", "standard_error", "n", "train_seconds")
"""Columns of `trials_table` that are none of `runs`."""


def trials_table(results: Results, sweep: str) -> pd.DataFrame:
    """Return one row per trial of a sweep: the best mean first, unfinished trials last.

    The standard error is that of the trial's own seeds, as the sweep's objective and the terminal
    have it: trials of a search scatter unequally, so that a good one would be given the scatter of
    those that hardly learn.

    Returns:
        trial, status, mean and standard_error (percent, or as the sweep's metric; NaN without
        scatter), n (runs measured), runs, epochs_done (of the trial's shortest run), the searched
        parameters, train_seconds, config_id.
    """
    frame, names = runs_of_sweep(results, sweep)
    frame = frame.assign(train_seconds=results.runs["train_seconds"])
    samples = [
        group.loc[group["outcome"] == "measured", "value"].to_numpy()
        for _, group in frame.groupby("trial")
    ]
    rows = [
        {
            "trial": trial,
            "status": _trial_status(group["status"].astype(str)),
            "mean": float(np.mean(sample)) if len(sample) else np.nan,
            "standard_error": pooled_deviation([sample])[0] / np.sqrt(max(len(sample), 1)),
            "n": len(sample),
            "runs": len(group),
            "epochs_done": group["epochs_done"].min(),
            **{name: group[name].iloc[0] for name in names},
            "train_seconds": group["train_seconds"].sum(),
            "config_id": group["config_id"].iloc[0],
        }
        for (trial, group), sample in zip(frame.groupby("trial"), samples, strict=True)
    ]
    table = pd.DataFrame(rows)
    # the mean over some of a trial's seeds is not yet its mean
    unfinished = table["n"] < table["runs"]
    badness = metric_of_sweep(results, sweep).badness
    order = np.lexsort((table["trial"], table["mean"].map(badness).fillna(np.inf), unfinished))
    return table.take(order).reset_index(drop=True)


def runs_of_sweep(results: Results, sweep: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the runs of a sweep with its metric, and the parameters in which they differ.

    Returns:
        Rows as those of `values`, with a column for each parameter that is none of `runs`; and the
        columns of all parameters that the sweep searched.
    """
    row = _row_of(results, sweep)
    if isinstance(row.get("trainer"), str):
        runs = results.runs[results.runs["sweep"] == sweep]
        frame, names = runs.assign(value=runs["metric_value"]), []
        outcome = frame["status"].astype(str).map(OUTCOMES)
        frame["outcome"] = outcome.mask(frame["value"].isna() & (outcome == "measured"), "missing")
    else:
        frame = values(results)
        frame = frame[frame["sweep"] == sweep]
        names = searched(frame)
    drawn = drawn_parameters(results, sweep)
    # what a column of `runs` has of its name, `searched` knows
    more = [name for name in map(str, drawn) if name not in CONFIGURATION]
    more = [name for name in more if drawn[name].nunique() > 1]
    columns = [f"config.{name}" if name in frame or name in _OWN else name for name in more]
    return frame.join(drawn[more].set_axis(columns, axis=1), on="trial"), [*names, *columns]


def metric_of_sweep(results: Results, sweep: str) -> Metric:
    """Return the metric by which the trials of a sweep are compared."""
    return metric_of(_row_of(results, sweep))


def _row_of(results: Results, sweep: str) -> Mapping[str, Any]:
    rows = results.sweeps[results.sweeps["sweep"] == sweep].to_dict("records")
    return {str(name): value for name, value in rows[0].items()} if rows else {}


def drawn_parameters(results: Results, sweep: str) -> pd.DataFrame:
    """Return the parameters that each trial of a sweep drew, a row a trial."""
    trials = results.trials[results.trials["sweep"] == sweep]
    texts = trials["params_json"].astype(object).fillna("{}")
    drawn = pd.DataFrame([json.loads(text) for text in texts], index=trials["trial"].astype(int))
    return drawn[~drawn.index.duplicated()]


def searched(frame: pd.DataFrame) -> list[str]:
    """Return the configuration's columns in which runs of one activation differ.

    `activation` itself counts if the frame has several. A column that some activations do not
    have does not count for being null there.
    """
    groups = frame.groupby("activation", observed=True)
    return [
        name
        for name in CONFIGURATION
        if (frame[name].nunique() if name == "activation" else groups[name].nunique().max()) > 1
    ]


def _trial_status(statuses: pd.Series) -> Status:
    return min(map(Status, statuses), key=MOST_URGENT_FIRST.index)
