"""Which searched parameter the best trials owe most to."""

from __future__ import annotations

import pandas as pd

from analysis.printed import LABELS, number
from analysis.reporting.drawing import BLUE, INK, WIDE, Drawing, csv
from analysis.reporting.model import Figure


def importance(name: str, shares: pd.Series, trials: int) -> Figure:
    """Draw a bar a parameter.

    Args:
        name: prefix of the drawing's file and ids.
        shares: what `importances` returned.
        trials: complete trials behind it.
    """
    labels = [LABELS.get(str(column), str(column)) for column in shares.index]
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
    listed = ", ".join(f"{label} {number(s)}" for label, s in zip(labels, shares, strict=True))
    caption = (
        f"Exploratory: Optuna's PED-ANOVA over {trials} complete trials, how far the best tenth of "
        "them lies from all. It shows where good trials were found, not what a parameter does, "
        "and no verdict rests on it."
    )
    data = pd.DataFrame({"parameter": shares.index, "share": shares.to_numpy()})
    panel = drawing.finish(name, f"Importance of the searched parameters: {listed}.")
    return Figure(name, caption, (panel,), csv(data))
