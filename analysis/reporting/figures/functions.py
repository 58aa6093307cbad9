"""The paper's Figure 1: activation functions over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.printed import number
from analysis.reporting.drawing import EPOCH_COLOURS, GREY, NARROW, VERMILLION, Drawing, csv, slug
from analysis.reporting.model import Panel, PrintedFigure

MOST_EPOCHS, MOST_LAYERS = 8, 4
"""Most epochs in a panel and most layers in a figure, spread evenly, both ends kept."""


@dataclass(frozen=True)
class Shown:
    """The functions of one run: its rows of both tables, under a title."""

    title: str
    functions: pd.DataFrame
    snapshots: pd.DataFrame


def activation_functions(name: str, runs: Sequence[Shown]) -> PrintedFigure:
    """Draw the first function of each layer over epochs, with its last control points.

    Two runs stand side by side, layer by layer.
    """
    panels, drawn = [], []
    every = [_layers(shown.functions) for shown in runs]
    layers = _spread(every[0], MOST_LAYERS)
    for layer in layers:
        for place, shown in enumerate(runs):
            rows = shown.functions
            rows = rows[(rows["function"] == 0) & (rows["layer"] == layer)].sort_values("epoch")
            if rows.empty:
                continue
            rows = rows[rows["epoch"].isin(_spread_early(rows["epoch"].tolist()))]
            curves = _shown(rows)
            title = layer if len(runs) == 1 else f"{layer}: {shown.title.split(' of ')[0]}"
            stem = f"{name}-{slug(layer)}-{place}"
            panels.append(_panel(stem, title, rows, curves, _last_points(shown.snapshots, rows)))
            drawn.append(curves.assign(run=shown.title, layer=layer))
    hidden = len(every[0]) - len(layers)
    caption = (
        f"{'; '.join(shown.title for shown in runs)}. Colour runs from the start (blue) to the "
        "last epoch (orange); dots are the control points at the end; the grey band holds 98 % of "
        "the function's inputs, so that hardly an input shaped the curve outside of the band."
    )
    caption += f" {hidden} further layers are in the store." if hidden else ""
    return PrintedFigure(name, caption, tuple(panels), csv(pd.concat(drawn)), paired=len(runs) == 2)


def _layers(functions: pd.DataFrame) -> list[str]:
    names = functions["layer"].drop_duplicates()
    return names.sort_values(key=_by_numbers).astype(str).tolist()


def _last_points(snapshots: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    layer, epoch = rows["layer"].iloc[0], rows["epoch"].max()
    chosen = (snapshots["layer"] == layer) & (snapshots["epoch"] == epoch)
    points: pd.DataFrame = snapshots[chosen & (snapshots["function"] == 0)]
    return points


def _panel(
    name: str, layer: str, rows: pd.DataFrame, shown: pd.DataFrame, points: pd.DataFrame
) -> Panel:
    drawing = Drawing(layer, "Input", "Output", NARROW)
    end = rows.iloc[-1]
    span = max(float(rows["epoch"].max()), 1.0)
    drawing.axes.axvspan(end["input_p01"], end["input_p99"], color=GREY, alpha=0.15, linewidth=0)
    for _, curve in shown.groupby("epoch"):
        epoch = int(curve["epoch"].iloc[0])
        # most of a curve's change is early, where a linear scale would show one colour
        share = np.log1p(epoch) / np.log1p(span)
        last = epoch == end["epoch"]
        drawing.axes.plot(
            curve["x"],
            curve["y"],
            color=EPOCH_COLOURS(share),
            linewidth=2 if last else 0.9,
            alpha=1 if last else 0.7,
        )
    # a point beyond the curve's ends would widen the panel
    inside = points["c_x"].between(shown["x"].min(), shown["x"].max())
    places = points[inside]
    drawing.axes.plot(places["c_x"], places["c_y"], "o", color=VERMILLION, markersize=5)
    drawing.axes.set_xlim(shown["x"].min(), shown["x"].max())
    at = ", ".join(number(x) for x in points["c_x"].sort_values())
    alt = (
        f"Activation function of {layer} from epoch {rows['epoch'].min()} to "
        f"{end['epoch']}; 98 % of its inputs lie in {number(end['input_p01'])} to "
        f"{number(end['input_p99'])}" + (f"; control points at {at}." if at else ".")
    )
    return drawing.finish(name, alt)


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the curves where inputs lie and a little beyond; tails can be 100 times as high."""
    low, high = rows["input_p01"].iloc[-1], rows["input_p99"].iloc[-1]
    curves = pd.concat(
        pd.DataFrame({"epoch": row.epoch, "x": row.curve_x, "y": row.curve_y})
        for row in rows.itertuples()
    )
    if not low < high:
        return curves
    margin = 0.25 * (high - low)
    inside: pd.DataFrame = curves[curves["x"].between(low - margin, high + margin)]
    return inside if inside["x"].nunique() > 2 else curves


def _spread(items: list[str], most: int) -> list[str]:
    if len(items) <= most:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _spread_early(epochs: list[int]) -> list[int]:
    """Return some epochs, closer together at the start, where curves change most."""
    if len(epochs) <= MOST_EPOCHS:
        return epochs
    wanted = np.expm1(np.linspace(0, np.log1p(max(epochs)), MOST_EPOCHS))
    nearest = {min(epochs, key=lambda epoch: abs(epoch - want)) for want in wanted}
    return sorted(nearest | {min(epochs), max(epochs)})


def _by_numbers(names: pd.Series) -> pd.Series:
    """Return keys that sort `act10` after `act9`."""
    return names.astype(str).str.replace(r"\d+", lambda m: m[0].zfill(6), regex=True)
