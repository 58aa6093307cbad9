"""The importance of each searched parameter."""

from __future__ import annotations

import pandas as pd

from analysis.printed import label, number
from analysis.reporting.drawing import BLUE, INK, WIDE, Drawing, csv
from analysis.reporting.model import PrintedFigure


def importance(name: str, shares: pd.Series, trials: int) -> PrintedFigure:
    """Draw a bar for each parameter.

    Args:
        name: prefix of the drawing's file and ids.
        shares: from `importances`.
        trials: number of complete trials behind the shares.
    """
    labels = [label(str(column)) for column in shares.index]
    size = (WIDE[0], 0.9 + 0.34 * len(shares))
    drawing = Drawing("Importance (exploratory)", "Share of the importance", "", size)
    places = range(len(shares))
    drawing.axes.barh(places, shares.to_numpy(), height=0.62, color=BLUE)
    for place, share in zip(places, shares, strict=True):
        drawing.axes.text(share, place, f" {number(share)}", va="center", fontsize=8, color=INK)
    drawing.axes.set_yticks(places, labels, color=INK)
    drawing.axes.set_xlim(0, max(float(shares.max()) * 1.15, 0.1))
    drawing.axes.invert_yaxis()
    drawing.axes.grid(axis="y", visible=False)
    listed = ", ".join(f"{name} {number(s)}" for name, s in zip(labels, shares, strict=True))
    caption = (
        f"Exploratory: Optuna's PED-ANOVA over {trials} complete trials measures how far the best "
        "tenth of them lies from all. It shows where good trials were found, not what a parameter "
        "does, and no verdict rests on it."
    )
    data = pd.DataFrame({"parameter": shares.index, "share": shares.to_numpy()})
    panel = drawing.finish(name, f"Importance of the searched parameters: {listed}.")
    return PrintedFigure(name, caption, (panel,), csv(data))
