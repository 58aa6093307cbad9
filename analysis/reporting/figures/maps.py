"""Maps over two parameters: errors over s and k or both penalties, and shrinkage of the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from analysis.printed import (
    MISSING,
    UNTRAINED,
    activation_name,
    benchmark_name,
    label,
    number,
    short,
)
from analysis.reporting.drawing import GREY, INK, WIDE, Drawing, csv
from analysis.reporting.model import Panel, PrintedFigure


def error_map(name: str, frame: pd.DataFrame, x: str, y: str) -> PrintedFigure:
    """Draw a `surface`: a tile for each cell with its mean, half-width and failures.

    Args:
        name: prefix of the drawings' files and ids.
        frame: rows of `surface`.
        x: column along the lower edge.
        y: column along the left edge.
    """
    panels = []
    groups = frame.groupby(["benchmark", "activation", "apart"], observed=True)
    for place, ((benchmark, activation, apart), rows) in enumerate(groups):
        title = f"{activation_name(activation)}, {benchmark_name(benchmark)}"
        title += f"\n{apart}" if apart else ""
        texts = [_error_text(row) for row in rows.to_dict("records")]
        best = rows.nsmallest(1, "mean").iloc[0] if rows["mean"].notna().any() else None
        found = (
            f"; the smallest mean, {number(best['mean'])} %, at {x} = {short(best[x])}, "
            f"{y} = {short(best[y])}"
            if best is not None
            else ""
        )
        few = (rows["n"] < 3).to_numpy()
        alt = f"Mean validation error over {x} and {y} of {title}{found}."
        panels.append(_tiles(f"{name}-{place}", title, rows, x, y, "mean", texts, few, alt))
    caption = (
        "Mean validation error after the last epoch in percent, ± half the 95 % interval; darker "
        "is smaller. ✕ counts diverged runs. Hatched tiles have fewer than three runs."
    )
    columns = [x, y, "activation", "benchmark", "apart", "mean", "low", "high", "n", "n_diverged"]
    return PrintedFigure(name, caption, tuple(panels), csv(frame[columns]))


def shrinkage_map(name: str, frame: pd.DataFrame, x: str, y: str) -> PrintedFigure:
    """Draw how far the outermost control points moved towards 0.

    Args:
        name: prefix of the drawing's file and ids.
        frame: x, y, `ratio`: mean over runs of |c_x| at the end over |c_x| at the start; `n`.
        x: column along the lower edge.
        y: column along the left edge.
    """
    texts = [number(ratio) for ratio in frame["ratio"]]
    title = "|c_x| at the end over the start"
    least = frame.nsmallest(1, "ratio").iloc[0]
    alt = (
        f"Ratio of the outermost control points' distance from 0 over {x} and {y}; the smallest, "
        f"{number(least['ratio'])}, at {x} = {short(least[x])}, {y} = {short(least[y])}."
    )
    few = (frame["n"] < 3).to_numpy()
    panel = _tiles(name, title, frame, x, y, "ratio", texts, few, alt)
    caption = "Below 1 the points moved towards 0. Mean over runs and functions."
    return PrintedFigure(name, caption, (panel,), csv(frame))


def _error_text(row: dict[Any, Any]) -> str:
    failed = f"\n✕ {row['n_diverged']}/{row['n'] + row['n_diverged']}" if row["n_diverged"] else ""
    if not math.isfinite(row["mean"]):
        words = UNTRAINED.replace("not be", "not\nbe")
        return f"{words}{failed}" if row["n_diverged"] else MISSING
    half = row["high"] - row["mean"]
    width = f"\n±{number(half)}" if math.isfinite(half) else ""
    return f"{number(row['mean'])}{width}{failed}"


def _tiles(
    name: str,
    title: str,
    rows: pd.DataFrame,
    x: str,
    y: str,
    value: str,
    texts: Sequence[str],
    few: np.ndarray,
    alt: str,
) -> Panel:
    columns, lines = sorted(rows[x].unique()), sorted(rows[y].unique())
    height = max(1.2 + 0.52 * len(lines), 2.2)
    drawing = Drawing(title, label(x), label(y), (WIDE[0], height))
    axes = drawing.axes
    axes.grid(False)
    shades = _shades(rows[value].to_numpy(float))
    for row, text, shade, thin in zip(rows.to_dict("records"), texts, shades, few, strict=True):
        place = columns.index(row[x]), lines.index(row[y])
        corner = place[0] - 0.5, place[1] - 0.5
        axes.add_patch(
            Rectangle(corner, 1, 1, facecolor=shade, edgecolor=GREY, hatch="//" if thin else None)
        )
        ink = "#ffffff" if _dark(shade) else "#101418"
        axes.text(*place, text, ha="center", va="center", fontsize=8, color=ink, linespacing=1.05)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(-0.5, len(lines) - 0.5))
    axes.set_xticks(range(len(columns)), [short(c) for c in columns], color=INK)
    axes.set_yticks(range(len(lines)), [short(c) for c in lines], color=INK)
    return drawing.finish(name, alt)


def _shades(values: np.ndarray) -> list[str]:
    """Return a colour for each value by its rank: one poor cell must not make all others alike."""
    ranks = pd.Series(values).rank(method="dense")
    top = max(ranks.max() - 1, 1) if ranks.notna().any() else 1
    # cividis reads the same with any colour vision; its ends would merge with the page
    cividis = matplotlib.colormaps["cividis"]
    return [
        GREY if math.isnan(r) else matplotlib.colors.to_hex(cividis(0.08 + 0.84 * (r - 1) / top))
        for r in ranks
    ]


def _dark(colour: str) -> bool:
    """Return True if white text reads better on a colour (relative luminance of WCAG 2.0)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.18
