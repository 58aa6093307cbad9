"""Error against each searched parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from analysis.printed import count, label, number, short, stem
from analysis.reporting.drawing import BLUE, NARROW, Drawing, csv
from analysis.reporting.model import Panel, PrintedFigure
from analysis.store.metric import VALIDATION_ERROR, Metric


def parameters(
    name: str, frame: pd.DataFrame, columns: Sequence[str], metric: Metric = VALIDATION_ERROR
) -> PrintedFigure:
    """Draw each run's final error, or metric, against each searched parameter.

    Args:
        name: prefix of the drawings' files and ids.
        frame: rows of `values` of one sweep.
        columns: the parameters.
        metric: what `value` is.
    """
    panels = tuple(_panel(f"{stem(f'{name}-{c}')}", frame, c, metric) for c in columns)
    caption = (
        "Each dot is a run; × on the upper edge is a run that failed or was stopped. "
        "The search chose the trials, so the panels show where it looked, not an effect."
    )
    data = frame[["run_id", "trial", "seed", *columns, "value", "outcome"]]
    return PrintedFigure(name, caption, panels, csv(data))


def _panel(name: str, frame: pd.DataFrame, column: str, metric: Metric) -> Panel:
    known = frame[frame[column].notna()]
    measured = known[known["outcome"] == "measured"]
    failed = known[known["outcome"] != "measured"]
    title = label(column)
    drawing = Drawing(title, title, metric.label, NARROW)
    axes = drawing.axes
    numeric = pd.api.types.is_numeric_dtype(frame[column])
    places = known[column].astype(float) if numeric else known[column].astype(str)
    dots: dict[str, Any] = {"s": 22, "color": BLUE, "alpha": 0.75, "linewidths": 0}
    axes.scatter(places[measured.index], measured["value"], **dots)
    axes.margins(y=0.1)  # leaves the upper edge to runs without an error
    drawing.failures(places[failed.index].to_numpy())
    if numeric:
        _parameter_axis(drawing, places)
    if metric.is_error or not (metric.largest or (measured["value"] <= 0).any()):
        drawing.logarithmic_errors(measured["value"].to_numpy())
    return drawing.finish(name, _alt(measured, failed, column, numeric, metric))


def _alt(
    measured: pd.DataFrame, failed: pd.DataFrame, column: str, numeric: bool, metric: Metric
) -> str:
    what = "error" if metric.is_error else metric.name
    if measured.empty:
        return f"{label(column)}: no run has a final {what}."
    best = measured.iloc[int(measured["value"].map(metric.badness).argmin())]
    end = "largest" if metric.largest else "smallest"
    text = (
        f"{metric.words} of {count(len(measured), 'run')} against {label(column)}; the {end}, "
        f"{_value(best['value'], metric)}, at {short(best[column])}"
    )
    if numeric and measured[column].nunique() > 2 and measured["value"].nunique() > 1:
        rank = measured[column].astype(float).corr(measured["value"], method="spearman")
        text += f"; rank correlation {number(rank)}"
    return text + (f"; {count(len(failed), 'run')} without a final {what}." if len(failed) else ".")


def _value(value: float, metric: Metric) -> str:
    return f"{number(value)} %" if metric.is_percent else short(value)


def _parameter_axis(drawing: Drawing, places: pd.Series) -> None:
    """Choose a logarithmic axis if places span decades; zeros stay visible at its left end."""
    axes = drawing.axes
    positive = places[places > 0]
    if len(positive) and positive.max() > 20 * positive.min():
        if (places == 0).any():  # a logarithmic axis has no 0
            axes.set_xscale("symlog", linthresh=float(positive.min()))
        else:
            axes.set_xscale("log")
    elif np.all(places % 1 == 0):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
