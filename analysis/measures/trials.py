"""The trials of a sweep in their order, each with the mean over its seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.measures.values import CONFIGURATION, values
from analysis.statistics.intervals import pooled_deviation
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


def trials_table(results: Results, sweep: str) -> pd.DataFrame:
    """Return one row per trial of a sweep: smallest mean error first, unfinished trials last.

    The standard error is that of the trial's own seeds, as the sweep's objective and the terminal
    have it: trials of a search scatter unequally, so that a good one would be given the scatter of
    those that hardly learn.

    Returns:
        trial, status, mean and standard_error (percent; NaN without scatter), n (runs measured),
        runs, epochs_done (of the trial's shortest run), the searched parameters, train_seconds,
        config_id.
    """
    frame = values(results)
    frame = frame[frame["sweep"] == sweep].assign(train_seconds=results.runs["train_seconds"])
    samples = [
        group.loc[group["outcome"] == "measured", "value"].to_numpy()
        for _, group in frame.groupby("trial")
    ]
    names = searched(frame)
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
    order = np.lexsort((table["trial"], table["mean"].fillna(np.inf), unfinished))
    return table.take(order).reset_index(drop=True)


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
