"""Every seed as a dot: activations side by side, and over learning rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.paper.claims import paper
from analysis.printed import (
    ACTIVATIONS,
    ERROR_LABEL,
    UNTRAINED,
    activation_name,
    benchmark_name,
    count,
    interval,
    number,
    short,
    stem,
)
from analysis.reporting.drawing import INK, NARROW, WIDE, Drawing, csv, slug, style
from analysis.reporting.model import Panel, PrintedFigure
from analysis.statistics.intervals import mean_interval


def seeds_strip(name: str, frame: pd.DataFrame, compare_with_paper: bool) -> PrintedFigure:
    """Draw each activation's runs, mean and interval, a panel for each benchmark.

    Args:
        name: prefix of the drawings' files and ids.
        frame: rows of `values` that differ in the activation alone, with `apart`.
        compare_with_paper: mark the paper's means, since the runs are in the paper's setting.
    """
    panels = []
    for index, (place, rows) in enumerate(frame.groupby(["benchmark", "apart"], observed=True)):
        benchmark, apart = map(str, place)
        panel = _panel_name(name, index, slug(benchmark), apart)
        panels.append(_strip(panel, benchmark, apart, rows, compare_with_paper))
    caption = "Dots are runs, bars means with 95 % intervals, each from its own runs." + (
        " A vertical tick is the paper's mean." if compare_with_paper else ""
    )
    data = frame[["benchmark", "apart", "activation", "seed", "run_id", "value", "outcome"]]
    return PrintedFigure(name, caption, tuple(panels), csv(data))


def rate_response(name: str, frame: pd.DataFrame) -> PrintedFigure:
    """Draw error over the learning rate, a panel for each activation, all on one scale.

    Args:
        name: prefix of the drawings' files and ids.
        frame: rows of `values` that differ in activation and learning rate alone, with `apart`.
    """
    measured = frame.loc[frame["outcome"] == "measured", "value"]
    panels = []
    for index, (place, rows) in enumerate(frame.groupby(["activation", "apart"], observed=True)):
        activation, apart = map(str, place)
        panel = _panel_name(name, index, stem(activation), apart)
        panels.append(_response(panel, activation, apart, rows, measured.to_numpy()))
    caption = "Dots are runs, the line is their mean; × on the upper edge is a run that diverged."
    data = frame[["activation", "apart", "learning_rate", "seed", "run_id", "value", "outcome"]]
    return PrintedFigure(name, caption, tuple(panels), csv(data))


def _strip(name: str, benchmark: str, apart: str, rows: pd.DataFrame, with_paper: bool) -> Panel:
    present = rows["activation"].astype(str).unique()
    # the paper's order, then any other activation by name
    order = [a for a in ACTIVATIONS if a in present] + sorted(set(present) - set(ACTIVATIONS))
    samples = [
        rows.loc[(rows["activation"] == a) & (rows["outcome"] == "measured"), "value"].to_numpy()
        for a in order
    ]
    size = (WIDE[0], 0.9 + 0.45 * len(order))
    drawing = Drawing(_title(benchmark_name(benchmark), apart), ERROR_LABEL, "", size)
    means = [mean_interval(sample) for sample in samples]
    printed = paper().table1.get(benchmark, {}) if with_paper else {}
    for place, activation in enumerate(order):
        own = rows.loc[rows["activation"] == activation, "outcome"]
        if (own == "diverged").any() and not (own == "measured").any():
            across = drawing.axes.get_yaxis_transform()
            words: dict[str, Any] = {"transform": across, "va": "center", "color": INK}
            drawing.axes.text(0.02, place, f"✕ {UNTRAINED}", fontsize=8, **words)
    for place, (activation, sample, mean) in enumerate(zip(order, samples, means, strict=True)):
        drawing.repeated(place, sample, mean, style(activation, place))
        if activation in printed:
            ends = [place - 0.28, place + 0.28]
            drawing.axes.plot([printed[activation]] * 2, ends, color=INK, linewidth=1.2)
    labels = [activation_name(a) for a in order]
    drawing.axes.set_yticks(range(len(order)), labels, color=INK)
    drawing.axes.set_ylim(len(order) - 0.5, -0.5)
    text = "; ".join(f"{a} {interval(m)}" for a, m in zip(labels, means, strict=True))
    return drawing.finish(name, f"Final validation error in percent, {benchmark}: {text}.")


def _panel_name(name: str, index: int, panel: str, apart: str) -> str:
    return f"{name}-{panel}-{index}" if apart else f"{name}-{panel}"


def _title(name: str, apart: str) -> str:
    return f"{name}\n{apart}" if apart else name


def _response(
    name: str, activation: str, apart: str, rows: pd.DataFrame, scale: np.ndarray
) -> Panel:
    colour, marker, dash = style(activation)
    title = _title(activation_name(activation), apart)
    drawing = Drawing(title, "Learning rate", ERROR_LABEL, NARROW)
    measured = rows[rows["outcome"] == "measured"]
    failed = rows[rows["outcome"] == "diverged"]
    dots: dict[str, Any] = {"s": 16, "color": colour, "marker": marker, "alpha": 0.7}
    drawing.axes.scatter(measured["learning_rate"], measured["value"], **dots)
    means = measured.groupby("learning_rate")["value"].mean()
    drawing.axes.plot(means.index, means, color=colour, linestyle=dash)
    drawing.axes.set_xscale("log")
    if len(scale):
        # one scale for all panels, which stand side by side
        drawing.axes.set_ylim(scale.min() * 0.9, scale.max() * 1.15)
    drawing.failures(failed["learning_rate"].to_numpy(float))
    drawing.logarithmic_errors(scale)
    text = ", ".join(f"{number(mean)} % at {short(rate)}" for rate, mean in means.items())
    failures = f"; {count(len(failed), 'run')} diverged" if len(failed) else ""
    return drawing.finish(name, f"Mean validation error of {activation}: {text}{failures}.")
