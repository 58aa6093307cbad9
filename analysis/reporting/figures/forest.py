"""All comparisons behind the verdicts, as intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from analysis.paper.rules import Part
from analysis.paper.verdicts import Verdict
from analysis.printed import benchmark_name, interval
from analysis.reporting.drawing import BLUE, GREY, INK, VERMILLION, WIDE, Drawing, csv
from analysis.reporting.model import Figure, Panel

AXES = {
    "points": "Gain (percentage points)",
    "ratio": "Ratio",
    "rate": "Difference of rates",
    "": "Mean",
}


def forest(name: str, verdicts: Sequence[Verdict]) -> Figure:
    """Draw each comparison's 95 % interval against its threshold, a panel a claim.

    Args:
        name: prefix of the drawings' files and ids.
        verdicts: those with comparisons.
    """
    shown = [verdict for verdict in verdicts if verdict.parts]
    panels = tuple(_panel(f"{name}-{verdict.claim.id}", verdict) for verdict in shown)
    rows = [_row(verdict, part) for verdict in shown for part in verdict.parts]
    caption = (
        "Bars are 95 % intervals; filled marks bear the claim out, hollow ones do not. The dashed "
        "line is what the rule holds the interval against."
    )
    return Figure(name, caption, panels, csv(pd.DataFrame(rows)))


def _panel(name: str, verdict: Verdict) -> Panel:
    parts = [part for part in verdict.parts if np.isfinite(part.interval.estimate)]
    title = verdict.claim.id.replace("_", " ")
    size = (WIDE[0], 0.85 + 0.42 * max(len(parts), 1))
    unit = verdict.parts[0].unit
    drawing = Drawing(title.capitalize(), AXES[unit], "", size)
    for place, part in enumerate(parts):
        found = part.interval
        colour = BLUE if part.supports else VERMILLION
        ends = [[found.estimate - found.low], [found.high - found.estimate]]
        bar: dict[str, Any] = {"color": colour, "elinewidth": 1.8, "capsize": 2.5, "markersize": 5}
        fill = colour if part.supports else "none"
        finite = np.isfinite(found.low) and np.isfinite(found.high)
        drawing.axes.errorbar(
            found.estimate, place, xerr=ends if finite else None, fmt="o", mfc=fill, **bar
        )
        label = part.name if len(parts) < 2 or not _both(parts) else f"{part.name}, {_short(part)}"
        drawing.axes.text(
            0.015,
            place - 0.24,
            label,
            fontsize=8,
            color=INK,
            transform=drawing.axes.get_yaxis_transform(),
        )
    for threshold in sorted({part.threshold for part in parts}):
        drawing.axes.axvline(threshold, color=GREY, linestyle="--", linewidth=1, zorder=0)
    drawing.axes.xaxis.set_major_locator(MaxNLocator(5))
    drawing.axes.set_yticks([])
    drawing.axes.set_ylim(max(len(parts), 1) - 0.4, -0.75)
    text = "; ".join(
        f"{p.name}, {benchmark_name(p.benchmark)}: {interval(p.interval)}" for p in parts
    )
    return drawing.finish(name, f"{title}, {verdict.word}. {text}.")


def _both(parts: Sequence[Part]) -> bool:
    return len({part.benchmark for part in parts}) > 1


def _short(part: Part) -> str:
    return benchmark_name(part.benchmark).split(" on ")[-1]


def _row(verdict: Verdict, part: Part) -> dict[str, object]:
    return {
        "claim": verdict.claim.id,
        "verdict": verdict.word,
        "comparison": part.name,
        "benchmark": part.benchmark,
        "unit": part.unit,
        "estimate": part.interval.estimate,
        "low": part.interval.low,
        "high": part.interval.high,
        "threshold": part.threshold,
        "supports": part.supports,
        "n": part.runs[0],
        "n_reference": part.runs[1],
        "n_diverged": sum(part.diverged),
    }
