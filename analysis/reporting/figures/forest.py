"""All tested claims in one figure: of each the comparison on which its verdict hangs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from analysis.paper.rules import Comparison
from analysis.paper.verdicts import Verdict
from analysis.paper.words import Word
from analysis.printed import benchmark_name, interval
from analysis.reporting.drawing import (
    BLUE,
    GREY,
    INK,
    PURPLE,
    VERMILLION,
    WIDE,
    Drawing,
    csv,
)
from analysis.reporting.marks import TOO_FEW, VERDICT_MARKS, verdict_mark
from analysis.reporting.model import Panel, PrintedFigure

AXES = {
    "points": ("Gains", "Percentage points"),
    "ratio": ("Times", "Ratio"),
    "rate": ("Stability", "Difference of rates"),
    "": ("Shapes", "Mean"),
}
"""Title and axis of each unit's panel."""

MARKS: dict[str, dict[str, Any]] = {
    VERDICT_MARKS[Word.SUPPORTED]: {"marker": "o", "color": BLUE, "mfc": BLUE},
    VERDICT_MARKS[Word.CONTRADICTED]: {"marker": "X", "color": VERMILLION, "mfc": VERMILLION},
    VERDICT_MARKS[Word.NOT_DECIDED]: {"marker": "s", "color": PURPLE, "mfc": "none"},
    TOO_FEW: {"marker": "^", "color": GREY, "mfc": "none"},
}

FAR = 4.0
"""Times the middle threshold or estimate, beyond which an axis is logarithmic away from 0."""


def forest(name: str, verdicts: Sequence[Verdict]) -> PrintedFigure:
    """Draw the deciding interval of each tested claim against its threshold.

    Args:
        name: prefix of the drawings' files and ids; a panel for each unit.
        verdicts: any; a claim without an estimate has no row, and is named in the caption.
    """
    meant = [verdict for verdict in verdicts if verdict_mark(verdict) in MARKS]
    shown = [verdict for verdict in meant if _shown(verdict)]
    panels = []
    for unit in AXES:
        own = [verdict for verdict in shown if _unit(verdict) == unit]
        if own:
            panels.append(_panel(f"{name}-{unit or 'mean'}", unit, own))
    rows = [_row(verdict, one) for verdict in meant for one in verdict.comparisons]
    caption = (
        "Each row is a claim and the comparison on which its verdict hangs: bars are intervals at "
        "the level of its look (95 % at the last one), the short dashed line is the threshold that "
        "the claim's rule holds the interval against. A row without a bar has no interval."
    )
    bare = [_words(verdict) for verdict in meant if verdict not in shown]
    caption += f" Without an estimate, and not drawn: {', '.join(bare)}." if bare else ""
    return PrintedFigure(name, caption, tuple(panels), csv(pd.DataFrame(rows)))


def _unit(verdict: Verdict) -> str:
    shown = _shown(verdict)
    return shown.unit if shown else "points"


def _shown(verdict: Verdict) -> Comparison | None:
    """Return the comparison of a claim's row."""
    with_estimate = [one for one in verdict.comparisons if np.isfinite(one.interval.estimate)]
    if verdict.deciding in with_estimate:
        return verdict.deciding
    return next(iter(with_estimate), None)


def _panel(name: str, unit: str, verdicts: Sequence[Verdict]) -> Panel:
    title, axis = AXES[unit]
    drawing = Drawing(title, axis, "", (WIDE[0], 0.95 + 0.37 * len(verdicts)))
    for place, verdict in enumerate(verdicts):
        _bar(drawing, place, verdict)
    axes = drawing.axes
    for mark in dict.fromkeys(map(verdict_mark, verdicts)):
        axes.plot([], [], linestyle="none", markersize=5.5, label=mark[2:], **MARKS[mark])
    _scale(drawing, [one.interval.estimate for v in verdicts if (one := _shown(v))])
    axes.set_yticks([])
    axes.set_ylim(len(verdicts) - 0.5, -0.8)  # the first claim on top
    drawing.legend()
    text = ". ".join(
        f"{_words(verdict)}: {verdict_mark(verdict)[2:]}"
        + (f", {interval(one.interval)}" if (one := _shown(verdict)) else "")
        for verdict in verdicts
    )
    return drawing.finish(name, f"{title} behind the verdicts. {text}.")


def _scale(drawing: Drawing, estimates: Sequence[float]) -> None:
    """Let one large effect not hide the small ones."""
    sizes = np.abs(np.array(estimates))
    middle = float(np.median(sizes)) if len(sizes) else 0.0
    if middle > 0 and sizes.max() > FAR * max(middle, 0.25):
        drawing.axes.set_xscale("symlog", linthresh=max(middle, 0.25), linscale=1.0)
        low, high = drawing.axes.get_xlim()
        ends = [end for end in (-100, -10, -1, 0, 1, 10, 100) if low <= end <= high]
        drawing.axes.set_xticks(ends, [f"{end:g}".replace("-", "−") for end in ends])
        drawing.axes.minorticks_off()
        return
    drawing.axes.xaxis.set_major_locator(MaxNLocator(5))


def _bar(drawing: Drawing, place: int, verdict: Verdict) -> None:
    """Draw a claim's interval at a height, under its words and its mark."""
    axes, one, mark = drawing.axes, _shown(verdict), MARKS[verdict_mark(verdict)]
    across = axes.get_yaxis_transform()
    axes.plot([0.02], [place - 0.3], transform=across, markersize=5, linestyle="none", **mark)
    axes.text(0.045, place - 0.22, _words(verdict), fontsize=8, color=INK, transform=across)
    if one is None:
        return
    found = one.interval
    if np.isfinite(found.low) and np.isfinite(found.high):
        axes.plot([found.low, found.high], [place + 0.15] * 2, color=mark["color"], linewidth=1.8)
    axes.plot([found.estimate], [place + 0.15], markersize=5.5, **mark)
    ends = [place - 0.08, place + 0.38]
    axes.plot([one.threshold] * 2, ends, color=GREY, linestyle=(0, (2, 1)), linewidth=1.4)


def _words(verdict: Verdict) -> str:
    one, claim = _shown(verdict), verdict.claim.id.replace("_", " ").capitalize()
    if one is None:
        return claim
    data = benchmark_name(one.benchmark).split(" on ")[-1]
    return f"{claim} ({one.name}, {data})" if len(one.name) < 24 else f"{claim} ({data})"


def _row(verdict: Verdict, one: Comparison) -> dict[str, object]:
    return {
        "claim": verdict.claim.id,
        "verdict": verdict.word,
        "comparison": one.name,
        "deciding": one is verdict.deciding,
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
