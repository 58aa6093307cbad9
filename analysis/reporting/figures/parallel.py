"""Every trial of a search as one line through its parameters to its error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.printed import count, number, short, symbol
from analysis.reporting.drawing import BLUE, GREY, INK, VERMILLION, WIDE, Drawing, csv
from analysis.reporting.model import PrintedFigure

ERROR = "mean"
BEST_SHARE = 0.1
"""The share of the trials that stands out: at least one."""
DECADES = 20.0
"""Values that span a larger factor are drawn by their logarithms."""


def parallel(name: str, table: pd.DataFrame, columns: Sequence[str]) -> PrintedFigure:
    """Draw a line a trial over one axis for each searched parameter and one for the error.

    Args:
        name: prefix of the drawing's file and ids.
        table: from `trials_table`.
        columns: the searched parameters.
    """
    axes = [*columns, ERROR]
    heights = pd.DataFrame({column: _heights(table[column]) for column in axes})
    measured = table[table[ERROR].notna()]
    best = set(measured.nsmallest(max(1, round(BEST_SHARE * len(measured))), ERROR).index)
    drawing = Drawing("Parallel coordinates (exploratory)", "", "", (WIDE[0], 3.2))
    places = range(len(axes))
    for trial, row in heights.iterrows():
        drawing.axes.plot(places, row.to_numpy(float), **_look(trial in best, row[ERROR]))
    for place, column in zip(places, axes, strict=True):
        _axis(drawing, place, table[column], heights[column])
    drawing.axes.set_xticks(places, [*map(symbol, columns), "Error %"], color=INK)
    drawing.axes.set_yticks([])
    drawing.axes.set_ylim(-0.12, 1.12)
    drawing.axes.grid(visible=False)
    drawing.axes.spines["left"].set_visible(False)
    drawing.axes.spines["bottom"].set_visible(False)
    caption = (
        f"Each line is a trial. Orange: {count(len(best), 'trial')} with the smallest error; "
        "dotted: trials without one, which were stopped or failed. Where the orange lines run "
        "together, good trials were found; where they fan out, the parameter mattered little."
    )
    panel = drawing.finish(name, _alt(measured, columns))
    return PrintedFigure(name, caption, (panel,), csv(table[["trial", "status", *axes]]))


def _look(best: bool, error: float) -> dict[str, Any]:
    if best:
        return {"color": VERMILLION, "linewidth": 1.8, "alpha": 1.0, "zorder": 3}
    if np.isnan(error):
        return {"color": GREY, "linewidth": 0.8, "alpha": 0.6, "linestyle": (0, (1, 2))}
    return {"color": BLUE, "linewidth": 0.9, "alpha": 0.35, "zorder": 2}


def _heights(values: pd.Series) -> pd.Series:
    """Return where values stand between the ends of their axis, 0 to 1; NaN stays NaN."""
    if not pd.api.types.is_numeric_dtype(values):
        names = _names(values)
        step = max(1, len(names) - 1)
        places = {one: place / step for place, one in enumerate(names)}
        return values.map(lambda one: places.get(str(one), np.nan)).astype(float)
    numbers = values.astype(float)
    if _spans_decades(numbers):
        numbers = numbers.map(np.log)
    low, high = numbers.min(), numbers.max()
    return (numbers - low) / (high - low) if high > low else numbers * 0 + 0.5


def _spans_decades(numbers: pd.Series) -> bool:
    known = numbers.dropna()
    return bool(len(known) and known.min() > 0 and known.max() > DECADES * known.min())


def _names(values: pd.Series) -> list[str]:
    return sorted(set(values.dropna().astype(str)))


def _axis(drawing: Drawing, place: int, values: pd.Series, heights: pd.Series) -> None:
    """Draw one upright axis with its ends, or with every value where these are words."""
    drawing.axes.axvline(place, color=GREY, linewidth=0.8, zorder=1)
    known = values.dropna().tolist()
    at = dict(zip(known, heights[values.notna()].tolist(), strict=True))
    numeric = pd.api.types.is_numeric_dtype(values)
    if not numeric:
        for word, height in at.items():
            _label(drawing, short(word), (place, height), (3, 0), ("left", "center"))
    elif known:
        text = number if values.name == ERROR else short
        # Above and below the axis: beside it, long numbers would meet those of the next one.
        for end, shift, edge in ((max(known), 3, "bottom"), (min(known), -3, "top")):
            _label(drawing, text(end), (place, at[end]), (0, shift), ("center", edge))


def _label(
    drawing: Drawing,
    text: str,
    place: tuple[int, float],
    shift: tuple[int, int],
    aligned: tuple[Any, Any],
) -> None:
    drawing.axes.annotate(
        text,
        place,
        shift,
        textcoords="offset points",
        ha=aligned[0],
        va=aligned[1],
        fontsize=7.5,
        color=INK,
        zorder=4,
    )


def _alt(measured: pd.DataFrame, columns: Sequence[str]) -> str:
    if measured.empty:
        return "Parallel coordinates of a search in which no trial has an error yet."
    best = measured.nsmallest(1, ERROR).iloc[0]
    settings = ", ".join(f"{symbol(one)} {short(best[one])}" for one in columns)
    return (
        f"{count(len(measured), 'trial')} as lines through {len(columns)} parameters to their "
        f"error; the best, {number(best[ERROR])} %, at {settings}."
    )
