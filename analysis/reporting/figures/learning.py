"""Validation error over epochs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from analysis.printed import activation_name, count, number, short
from analysis.reporting.drawing import BLUE, GREY, INK, VERMILLION, Drawing, csv, style
from analysis.reporting.model import PrintedFigure
from analysis.store.metric import VALIDATION_ERROR, Metric
from analysis.store.statuses import Status

MOST_POINTS, MOST_CURVES, ALL_POINTS = 200, 60, 6000
"""Most points of a curve, most curves, most points of all curves: so a page stays small."""


def learning_curves(
    name: str,
    title: str,
    epochs: pd.DataFrame,
    runs: pd.DataFrame,
    best_trial: int | None,
    metric: Metric = VALIDATION_ERROR,
) -> PrintedFigure:
    """Draw mean validation error over epochs, of each activation or of each trial.

    If the runs differ in the activation alone, each activation has its colour, and thin lines for
    its seeds. Else each trial is a thin line, and the best one stands out.

    Args:
        name: prefix of the drawing's file and ids.
        title: printed above.
        epochs: rows of `epochs` with `val_error_percent` and `learning_rate`; of another metric
            rows of `metrics`.
        runs: rows of `runs` with `trial`, `status` and `activation`.
        best_trial: the trial that stands out; None: none.
        metric: that is drawn.
    """
    column = "val_error_percent" if metric.is_error else "value"
    columns = ["run_id", "trial", "status", "activation"]
    joined = epochs.merge(runs[columns], on="run_id").rename(columns={column: "value"})
    drawing = Drawing(title, "Epoch" if metric.is_error else "Step", metric.label)
    by_activation = joined["trial"].nunique() == joined["activation"].nunique() > 1
    drawn = (
        _each_activation(drawing, joined)
        if by_activation
        else _each_trial(drawing, joined, best_trial)
    )
    _mark_ends(drawing, joined)
    dotted = "learning_rate" in joined and _mark_drops(drawing, joined)
    if metric.is_error or not (metric.largest or (joined["value"] <= 0).any()):
        drawing.logarithmic_errors(joined["value"].to_numpy())
    drawing.axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    drawing.legend()
    alt = (
        f"{metric.words} of {count(joined['trial'].nunique(), 'trial')} over "
        f"{joined['epoch'].max()} epochs, from {_printed(joined['value'].max(), metric)} at "
        f"most to {_printed(joined['value'].min(), metric)} at least."
    )
    caption = "Mean over seeds." + (
        " Thin lines are single runs." if by_activation else " Each line is a trial."
    )
    if not by_activation and joined["trial"].nunique() > MOST_CURVES:
        caption += f" The first {MOST_CURVES} trials and the best one."
    ends = {
        Status.PRUNED: "○ a run that was stopped",
        Status.DIVERGED: "× a run that diverged",
    }
    shown = [text for status, text in ends.items() if (joined["status"] == status).any()]
    caption += f" {', '.join(shown)}." if shown else ""
    caption += _still_running(joined)
    if dotted:
        caption += " Dotted: the learning rate falls."
    return PrintedFigure(
        name, caption, (drawing.finish(name, alt),), csv(drawn.rename(columns={"value": column}))
    )


def _printed(value: float, metric: Metric) -> str:
    return f"{number(value)} %" if metric.is_percent else short(value)


def _still_running(joined: pd.DataFrame) -> str:
    """Say how many runs reach the end, and what the numbers on the curves are."""
    ends = joined.groupby("run_id", observed=True)["epoch"].max()
    last = int(ends.max())
    if (ends == last).all():
        return f" All {count(len(ends), 'run')} reach epoch {last}."
    return (
        f" {(ends == last).sum()} of {count(len(ends), 'run')} reach epoch {last}; n on a curve is "
        "how many of its seeds still run from there."
    )


def _means(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return the mean error of each epoch and the number of runs behind it."""
    grouped = rows.groupby(by, observed=True)["value"]
    means = grouped.agg(value="mean", runs="size")
    return means.reset_index()


def _write_falls(drawing: Drawing, means: pd.DataFrame, colour: str) -> None:
    """Write the number of runs on a curve wherever it falls."""
    falls = means[means["runs"].diff() < 0]
    columns = (falls[name].tolist() for name in ("epoch", "value", "runs"))
    for epoch, error, runs in zip(*columns, strict=True):
        place = (float(epoch), float(error))
        drawing.axes.annotate(
            f"n = {runs}",
            place,
            (2, 3),
            textcoords="offset points",
            fontsize=7,
            color=colour,
            zorder=5,
        )
        drawing.axes.plot(*place, ".", color=colour, markersize=5, zorder=5)


def _thinned(curve: pd.DataFrame, curves: int) -> pd.DataFrame:
    """Return a curve's rows, or that many of them evenly spread, the first and last kept."""
    most = max(20, min(MOST_POINTS, ALL_POINTS // curves))  # 20 still show a curve's shape
    if len(curve) <= most:
        return curve
    return curve.iloc[np.linspace(0, len(curve) - 1, most).round().astype(int)]


def _each_trial(drawing: Drawing, joined: pd.DataFrame, best_trial: int | None) -> pd.DataFrame:
    means = _means(joined, ["trial", "epoch"])
    trials = means["trial"].drop_duplicates().tolist()[:MOST_CURVES]
    shown = {*trials, best_trial}
    drawn = []
    for trial, curve in means[means["trial"].isin(shown)].groupby("trial"):
        best = trial == best_trial
        _write_falls(drawing, curve, VERMILLION if best else INK)
        curve = _thinned(curve, len(shown))
        drawn.append(curve)
        drawing.axes.plot(
            curve["epoch"],
            curve["value"],
            color=VERMILLION if best else GREY,
            linewidth=2.2 if best else 0.9,
            alpha=1 if best else 0.6,
            marker="o" if len(curve) <= 12 and best else None,
            markersize=3.5,
            zorder=3 if best else 2,
            label=f"trial {trial}, the best" if best else None,
        )
    return pd.concat(drawn)


def _each_activation(drawing: Drawing, joined: pd.DataFrame) -> pd.DataFrame:
    drawn = []
    for place, (activation, rows) in enumerate(joined.groupby("activation", observed=True)):
        colour, _marker, dash = style(str(activation), place)
        for _run, run in rows.groupby("run_id", observed=True):
            run = _thinned(run.sort_values("epoch"), joined["run_id"].nunique())
            line: dict[str, Any] = {"color": colour, "linewidth": 0.5, "alpha": 0.4}
            drawing.axes.plot(run["epoch"], run["value"], **line)
        mean = _means(rows, ["epoch"])
        _write_falls(drawing, mean, colour)
        curve = _thinned(mean, joined["activation"].nunique()).assign(activation=activation)
        drawn.append(curve)
        drawing.axes.plot(
            curve["epoch"],
            curve["value"],
            color=colour,
            linestyle=dash,
            linewidth=2,
            label=activation_name(activation),
        )
    return pd.concat(drawn)


def _mark_ends(drawing: Drawing, joined: pd.DataFrame) -> None:
    ended = joined.loc[joined.groupby("run_id", observed=True)["epoch"].idxmax()]
    hollow: dict[str, Any] = {"marker": "o", "facecolors": "none", "edgecolors": BLUE}
    marks: dict[Status, dict[str, Any]] = {
        Status.PRUNED: hollow,
        Status.INTERRUPTED: hollow,
        Status.DIVERGED: {"marker": "x", "color": BLUE},
    }
    for status, mark in marks.items():
        rows = ended[ended["status"] == status]
        if len(rows):
            drawing.axes.scatter(rows["epoch"], rows["value"], s=26, zorder=4, **mark)


def _mark_drops(drawing: Drawing, joined: pd.DataFrame) -> bool:
    """Draw where the rate falls, if it falls at the same epochs in all runs; True if drawn."""
    first = joined.groupby("run_id", observed=True)["learning_rate"].transform("max")
    # rounded, since rates that were divided at other times differ in their last bits
    relative = (joined["learning_rate"] / first).round(9)
    by_epoch = relative.groupby(joined["epoch"]).agg(["min", "max"])
    if (by_epoch["min"] != by_epoch["max"]).any():
        return False
    falls = by_epoch.index[by_epoch["min"].diff() < 0]
    for epoch in falls:
        # between the last epoch at the old rate and the first at the new one
        drawing.axes.axvline(epoch - 0.5, color=GREY, linestyle=":", linewidth=1)
    return len(falls) > 0
