"""Error against the time of an epoch."""

from __future__ import annotations

import pandas as pd

from analysis.printed import ERROR_LABEL, activation_name, benchmark_name, duration, number
from analysis.reporting.drawing import COLOURS, WIDE, Drawing, csv, slug, style
from analysis.reporting.model import Panel, PrintedFigure


def cost(name: str, frame: pd.DataFrame) -> PrintedFigure:
    """Draw mean error against the time of an epoch, a panel for each benchmark and device.

    Args:
        name: prefix of the drawings' files and ids.
        frame: a row for each configuration: `benchmark`, `device`, `activation`, `label`, `error`,
            `error_half`, `epoch_seconds`, `n`.
    """
    panels = tuple(
        _panel(f"{name}-{slug(f'{benchmark}-{device}')}", str(benchmark), str(device), rows)
        for (benchmark, device), rows in frame.groupby(["benchmark", "device"], observed=True)
    )
    caption = (
        "Each mark is a configuration: median time of an epoch, training and validation, against "
        "mean final error with its 95 % interval. Runs that shared a machine slowed each other."
    )
    return PrintedFigure(name, caption, panels, csv(frame))


def _panel(name: str, benchmark: str, device: str, rows: pd.DataFrame) -> Panel:
    title = f"{benchmark_name(benchmark)}, {device}"
    drawing = Drawing(title, "Time of an epoch (s)", ERROR_LABEL, WIDE)
    for place, (activation, own) in enumerate(rows.groupby("activation", observed=True)):
        colour, marker, _ = style(str(activation), place % len(COLOURS))
        drawing.axes.errorbar(
            own["epoch_seconds"],
            own["error"],
            yerr=own["error_half"],
            fmt=marker,
            color=colour,
            markersize=5,
            elinewidth=0.8,
            label=activation_name(activation),
        )
    if rows["epoch_seconds"].max() > 5 * rows["epoch_seconds"].min():
        drawing.axes.set_xscale("log")
    drawing.logarithmic_errors(rows["error"].to_numpy())
    drawing.legend()
    quick, best = rows.nsmallest(1, "epoch_seconds").iloc[0], rows.nsmallest(1, "error").iloc[0]
    alt = (
        f"Error against the time of an epoch on {title}. Fastest: {quick['label']}, "
        f"{duration(quick['epoch_seconds'])} and {number(quick['error'])} %. Smallest error: "
        f"{best['label']}, {duration(best['epoch_seconds'])} and {number(best['error'])} %."
    )
    return drawing.finish(name, alt)
