"""The Pareto front of a sweep with several objectives."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.printed import count
from analysis.reporting.drawing import BLUE, GREY, INK, VERMILLION, WIDE, Drawing, csv, slug
from analysis.reporting.model import Panel, PrintedFigure
from analysis.store.metric import Metric

DECADES = 20.0
"""Values that span a larger factor are drawn on a logarithmic axis."""
MOST_LABELS = 15
"""Trials of a front that are drawn with their numbers; more would cover each other."""


def front(name: str, table: pd.DataFrame, objectives: Sequence[Metric]) -> PrintedFigure:
    """Draw the first objective against each other one, a panel each.

    Args:
        name: prefix of the drawings' files and ids.
        table: from `objectives_table`.
        objectives: of the sweep, the first one first.
    """
    panels = tuple(_panel(name, table, objectives, other) for other in objectives[1:])
    joined = "The line bounds what was reached. " if len(objectives) == 2 else ""
    caption = (
        "Each mark is a completed trial, its mean over seeds. Orange with numbers of trials: the "
        f"front, with standard errors; no other trial is as good in all objectives. {joined}"
        "Trials that differ by less than two standard errors may change places on other seeds."
    )
    return PrintedFigure(name, caption, panels, csv(table))


def _panel(name: str, table: pd.DataFrame, objectives: Sequence[Metric], other: Metric) -> Panel:
    first = objectives[0]
    title = f"{first.words} against {other.label}"
    drawing = Drawing(title, _axis(other), _axis(first), WIDE)
    axes, best = drawing.axes, table[table["on_front"]].sort_values(other.name)
    rest = table[~table["on_front"]]
    axes.plot(rest[other.name], rest[first.name], "o", color=BLUE, markersize=4, alpha=0.6)
    if len(objectives) == 2:
        # With so much of a cost one has what costs as much or less; of a gain, as much or more.
        where = "steps-pre" if other.largest else "steps-post"
        axes.plot(best[other.name], best[first.name], color=GREY, linewidth=1, drawstyle=where)
    axes.errorbar(
        best[other.name],
        best[first.name],
        xerr=best[f"{other.name}_standard_error"].fillna(0.0),
        yerr=best[f"{first.name}_standard_error"].fillna(0.0),
        fmt="D",
        color=VERMILLION,
        markersize=5,
        elinewidth=0.8,
    )
    for row in best.head(MOST_LABELS).to_dict("records"):
        place = (row[other.name], row[first.name])
        axes.annotate(
            str(row["trial"]), place, (4, 4), textcoords="offset points", fontsize=7.5, color=INK
        )
    for scale, one in ((axes.set_xscale, other), (axes.set_yscale, first)):
        low, high = table[one.name].min(), table[one.name].max()
        if low > 0 and high > DECADES * low:
            scale("log")
    alt = (
        f"{title} of {count(len(table), 'trial')}; on the front: "
        f"{', '.join(map(str, best['trial'].head(MOST_LABELS)))}."
    )
    return drawing.finish(f"{name}-{slug(other.name)}", alt)


def _axis(one: Metric) -> str:
    return f"{one.label} (larger is better)" if one.largest else one.label
