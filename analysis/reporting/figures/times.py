"""Seconds an epoch: every repetition as a dot, a line a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.printed import interval
from analysis.reporting.drawing import INK, WIDE, Drawing, csv, style
from analysis.reporting.model import PrintedFigure
from analysis.statistics.intervals import mean_interval


@dataclass(frozen=True)
class Timed:
    """A configuration with the times of its repetitions."""

    label: str
    activation: str
    seconds: pd.Series
    """Of an epoch, a value a run; NaN where none was measured."""
    runs: pd.DataFrame
    """Rows of `runs`, in the same order."""


def times(name: str, title: str, timed: Sequence[Timed]) -> PrintedFigure:
    """Draw the repetitions of each configuration, their mean and its interval.

    Args:
        name: of the drawing's file and id.
        title: of the drawing.
        timed: the configurations, from the top.
    """
    drawing = Drawing(title, "Seconds an epoch", "", (WIDE[0], 0.9 + 0.4 * len(timed)))
    means = []
    for place, one in enumerate(timed):
        sample = one.seconds.dropna().to_numpy()
        mean = mean_interval(sample)
        means.append(mean)
        drawing.repeated(place, sample, mean, style(one.activation, place))
    labels = [one.label for one in timed]
    drawing.axes.set_yticks(range(len(timed)), labels, color=INK)
    drawing.axes.set_ylim(len(timed) - 0.5, -0.5)
    text = "; ".join(f"{a} {interval(m)}" for a, m in zip(labels, means, strict=True))
    panel = drawing.finish(name, f"Seconds an epoch: {text}.")
    data = pd.concat(
        [
            one.runs[["run_id", "trial", "seed"]].assign(
                configuration=one.label, epoch_seconds=one.seconds
            )
            for one in timed
        ]
    )
    caption = "Dots are repetitions, bars means with 95 % intervals."
    return PrintedFigure(name, caption, (panel,), csv(data))
