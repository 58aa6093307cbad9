"""The paper's Table 1 beside ours, and the trials of a sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.measures.values import CONFIGURATION, At, independent, values
from analysis.paper.claims import Paper, paper
from analysis.printed import ACTIVATIONS
from analysis.statistics.intervals import mean_interval, pooled_intervals
from analysis.store.results import Results


def table1(results: Results, at: At = "last", scope: str = "layer") -> pd.DataFrame:
    """Return the mean validation error of each benchmark and activation, beside the paper's.

    Only runs in the paper's setting count, from confirmatory sweeps without early stopping: a
    search keeps what looked good, so that the mean of what it completed is too small.

    Args:
        results: what `load` returned.
        at: which epoch's error, as in `values`; the paper does not say which one it reports.
        scope: of the learned activations; the paper does not say.

    Returns:
        A row a benchmark and activation: the paper's error, ours with its 95 % t interval, the
        deviation, runs measured, diverged, censored and missing, ours less the paper's, whether
        that is within the tolerance (null without runs), and the ids of all runs, whatever became
        of them. Errors in percent.
    """
    found = _comparable(results, at, scope)
    rows = [
        _row(benchmark, activation, found, paper())
        for benchmark in paper().table1
        for activation in ACTIVATIONS
    ]
    frame = pd.DataFrame(rows)
    counts = ["n", "n_diverged", "n_censored", "n_missing"]
    return frame.astype({"within_tolerance": "boolean", **dict.fromkeys(counts, "int64")})


def _comparable(results: Results, at: At, scope: str) -> pd.DataFrame:
    """Return the values that may stand in Table 1."""
    frame = values(results, "val_error_percent", at)
    frame["config_json"] = results.runs["config_json"]
    sweeps = results.sweeps
    fixed = sweeps[(sweeps["purpose"] == "confirmatory") & (sweeps["early_stopping"] == "none")]
    frame = frame[frame["sweep"].isin(fixed["sweep"])]
    frame = frame[(frame["activation"] == "relu") | (frame["scope"] == scope)]
    one_each = frame.drop_duplicates("config_id")
    pairs = zip(one_each["benchmark"].astype(str), one_each["config_json"], strict=True)
    same = np.array([not paper().departures(*pair) for pair in pairs], dtype=bool)
    ids = one_each.loc[same, "config_id"]
    return independent(frame[frame["config_id"].isin(ids)])


def seed_correlations(results: Results, scope: str = "layer") -> dict[str, float]:
    """Return, by benchmark, the mean correlation of Table 1's activations over equal seeds.

    Nothing for a benchmark in which no two activations have three seeds in common.
    """
    found = _comparable(results, "last", scope)
    correlations = {}
    for benchmark in paper().table1:
        own = found[(found["benchmark"] == benchmark) & (found["outcome"] == "measured")]
        wide = own.pivot_table(index="seed", columns="activation", values="value", observed=True)
        matrix = wide.corr(min_periods=3).to_numpy()
        pairs = matrix[np.triu_indices(len(matrix), 1)]
        if np.isfinite(pairs).any():
            correlations[benchmark] = float(np.nanmean(pairs))
    return correlations


def _row(benchmark: str, activation: str, found: pd.DataFrame, claims: Paper) -> dict[str, object]:
    chosen = found[(found["benchmark"] == benchmark) & (found["activation"] == activation)]
    outcomes = chosen["outcome"].value_counts()
    sample = chosen.loc[chosen["outcome"] == "measured", "value"].to_numpy()
    ours = mean_interval(sample)
    theirs = claims.table1[benchmark][activation]
    difference = ours.estimate - theirs
    tolerance = claims.tolerance[benchmark]
    return {
        "benchmark": benchmark,
        "activation": activation,
        "paper_error_percent": theirs,
        "mean": ours.estimate,
        "low": ours.low,
        "high": ours.high,
        "sd": float(np.std(sample, ddof=1)) if len(sample) > 1 else np.nan,
        **{f"n_{name}": outcomes.get(name, 0) for name in ("diverged", "censored", "missing")},
        "n": len(sample),
        "difference": difference,
        "tolerance": tolerance,
        "within_tolerance": abs(difference) <= tolerance if len(sample) else pd.NA,
        "run_ids": tuple(sorted(chosen["run_id"].astype(str))),
    }


def trials_table(results: Results, sweep: str) -> pd.DataFrame:
    """Return one row a trial of a sweep, the smallest mean error first, unfinished ones last.

    The 95 % interval comes from the deviation between seeds that all trials have in common,
    since two or three seeds of one trial say too little about it. It ends at 0 and at 100.

    Returns:
        trial, status, mean, low, high (percent), n (runs measured), runs, epochs_done (of the
        trial's shortest run), the searched parameters, train_seconds, config_id.
    """
    frame = values(results)
    frame = frame[frame["sweep"] == sweep].assign(train_seconds=results.runs["train_seconds"])
    samples = [
        group.loc[group["outcome"] == "measured", "value"].to_numpy()
        for _, group in frame.groupby("trial")
    ]
    intervals = pooled_intervals(samples)
    names = searched(frame)
    rows = [
        {
            "trial": trial,
            "status": _trial_status(group["status"].astype(str)),
            "mean": ours.estimate,
            "low": max(ours.low, 0.0),
            "high": min(ours.high, 100.0),
            "n": len(sample),
            "runs": len(group),
            "epochs_done": group["epochs_done"].min(),
            **{name: group[name].iloc[0] for name in names},
            "train_seconds": group["train_seconds"].sum(),
            "config_id": group["config_id"].iloc[0],
        }
        for (trial, group), sample, ours in zip(
            frame.groupby("trial"), samples, intervals, strict=True
        )
    ]
    table = pd.DataFrame(rows)
    unfinished = table["n"] < table["runs"]
    order = np.lexsort((table["trial"], table["mean"].fillna(np.inf), unfinished))
    return table.take(order).reset_index(drop=True)


def searched(frame: pd.DataFrame) -> list[str]:
    """Name the configuration's columns in which runs of one activation differ, or activations.

    A column that only some activations have does not count for being null in the others.
    """
    groups = frame.groupby("activation", observed=True)
    return [
        name
        for name in CONFIGURATION
        if (frame[name].nunique() if name == "activation" else groups[name].nunique().max()) > 1
    ]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as plain dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _trial_status(statuses: pd.Series) -> str:
    """Return the status that needs attention most among a trial's runs."""
    order = ["running", "error", "diverged", "interrupted", "pruned", "completed"]
    return min(statuses, key=order.index)
