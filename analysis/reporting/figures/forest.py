"""All comparisons behind the verdicts, as intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from analysis.paper.rules import Comparison
from analysis.paper.verdicts import Verdict
from analysis.printed import benchmark_name, interval
from analysis.reporting.drawing import BLUE, GREY, INK, VERMILLION, WIDE, Drawing, csv
from analysis.reporting.model import Panel, PrintedFigure

AXES = {
    "points": "Gain (percentage points)",
    "ratio": "Ratio",
    "rate": "Difference of rates",
    "": "Mean",
}


def forest(name: str, verdicts: Sequence[Verdict]) -> PrintedFigure:
    """Draw each comparison's 95 % interval against its threshold, a panel for each claim.

    Args:
        name: prefix of the drawings' files and ids.
        verdicts: any; a verdict without comparisons has no panel.
    """
    shown = [verdict for verdict in verdicts if verdict.comparisons]
    panels = tuple(_panel(f"{name}-{verdict.claim.id}", verdict) for verdict in shown)
    rows = [_row(verdict, one) for verdict in shown for one in verdict.comparisons]
    caption = (
        "Bars are 95 % intervals; filled marks bear the claim out, hollow marks do not. The dashed "
        "line is the threshold that the rule holds the interval against."
    )
    return PrintedFigure(name, caption, panels, csv(pd.DataFrame(rows)))


def _panel(name: str, verdict: Verdict) -> Panel:
    shown = [one for one in verdict.comparisons if np.isfinite(one.interval.estimate)]
    title = verdict.claim.id.replace("_", " ")
    size = (WIDE[0], 0.85 + 0.42 * max(len(shown), 1))
    drawing = Drawing(title.capitalize(), AXES[verdict.comparisons[0].unit], "", size)
    several = len({one.benchmark for one in shown}) > 1
    for place, one in enumerate(shown):
        _bar(drawing, place, one, f"{one.name}, {_data_name(one)}" if several else one.name)
    for threshold in sorted({one.threshold for one in shown}):
        drawing.axes.axvline(threshold, color=GREY, linestyle="--", linewidth=1, zorder=0)
    drawing.axes.xaxis.set_major_locator(MaxNLocator(5))
    drawing.axes.set_yticks([])
    drawing.axes.set_ylim(max(len(shown), 1) - 0.4, -0.75)  # the first comparison on top
    text = "; ".join(
        f"{one.name}, {benchmark_name(one.benchmark)}: {interval(one.interval)}" for one in shown
    )
    return drawing.finish(name, f"{title}, {verdict.word}. {text}.")


def _bar(drawing: Drawing, place: int, one: Comparison, text: str) -> None:
    """Draw a comparison's interval at a height, under its text."""
    found = one.interval
    colour = BLUE if one.supports else VERMILLION
    ends = [[found.estimate - found.low], [found.high - found.estimate]]
    finite = np.isfinite(found.low) and np.isfinite(found.high)
    fill = colour if one.supports else "none"
    look: dict[str, Any] = {"color": colour, "elinewidth": 1.8, "capsize": 2.5, "markersize": 5}
    drawing.axes.errorbar(
        found.estimate, place, xerr=ends if finite else None, fmt="o", mfc=fill, **look
    )
    across = drawing.axes.get_yaxis_transform()
    drawing.axes.text(0.015, place - 0.24, text, fontsize=8, color=INK, transform=across)


def _data_name(one: Comparison) -> str:
    return benchmark_name(one.benchmark).split(" on ")[-1]


def _row(verdict: Verdict, one: Comparison) -> dict[str, object]:
    return {
        "claim": verdict.claim.id,
        "verdict": verdict.word,
        "comparison": one.name,
        "benchmark": one.benchmark,
        "unit": one.unit,
        "estimate": one.interval.estimate,
        "low": one.interval.low,
        "high": one.interval.high,
        "threshold": one.threshold,
        "supports": one.supports,
        "n": one.runs[0],
        "n_reference": one.runs[1],
        "n_diverged": sum(one.diverged),
    }
