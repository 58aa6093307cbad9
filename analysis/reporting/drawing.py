"""The looks that all figures share, and a figure's way from matplotlib into a page."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import TightLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from analysis.exported import csv_text
from analysis.reporting.model import Panel
from analysis.statistics.intervals import Interval

INK = "#010203"
"""Text and axes; replaced by the page's own colour, so that figures follow a dark page."""

BLUE, VERMILLION, GREEN, PURPLE, AMBER, GREY = (
    "#1F86C7",
    "#D55E00",
    "#009E73",
    "#C06A9B",
    "#B07A00",
    "#808080",
)
"""After Okabe and Ito (2008), blue lightened, purple and orange darkened: a contrast of 3:1 on
white and dark pages."""

COLOURS = (VERMILLION, BLUE, GREEN, PURPLE, AMBER, GREY)
# shapes too, since colour alone is lost in print and to some readers
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (8, 3)))

ACTIVATION_STYLE: dict[Any, Any] = {
    "polyneuron_r": 0,
    "swish": 1,
    "polyneuron": 2,
    "apl": 4,
    "relu": 5,
}
"""Index of each activation's colour, marker and dash, the same in every figure."""

EPOCH_COLOURS = LinearSegmentedColormap.from_list("epochs", [BLUE, PURPLE, VERMILLION])

WIDE, NARROW = (4.6, 3.1), (3.3, 2.5)
"""Sizes of a panel in inches; a phone shows a wide one at about its own size."""

PAD = 3.0
"""Distance of the drawing from the edge of its panel, in points."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text, which readers search and the page styles
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # a place found by looking for ticks above takes a third layout
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "axes.formatter.useoffset": False,  # an offset above the axis hides the errors themselves
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}


Look = tuple[str, str, object]
"""A colour, a marker and a dash."""


def style(activation: str, position: int = 0) -> Look:
    """Return an activation's colour, marker and dash; names not in the paper go by `position`."""
    index = ACTIVATION_STYLE.get(activation, position % len(COLOURS))
    return COLOURS[index], MARKERS[index], DASHES[index]


class _Canvas(FigureCanvasSVG):
    """A canvas whose one renderer, which measures texts, remembers the sizes for all panels."""

    _renderer = RendererSVG(72, 72, io.StringIO(), image_dpi=72)

    def get_renderer(self) -> RendererSVG:
        return self._renderer


class Drawing:
    """One panel: axes to draw on, then `finish` for the panel."""

    def __init__(self, title: str, x: str, y: str, size: tuple[float, float] = WIDE) -> None:
        with matplotlib.rc_context(_STYLE):
            self.figure = Figure(figsize=size, dpi=72)  # both formats count in points
            _Canvas(self.figure)
            self.axes: Axes = self.figure.add_subplot()
            self.axes.set(title=title, xlabel=x, ylabel=y)

    def legend(self) -> None:
        """Add a legend of all labels below the axes, where it hides nothing."""
        handles, labels = self.axes.get_legend_handles_labels()
        if handles:
            with matplotlib.rc_context(_STYLE):
                place: Any = "outside lower center"
                self.figure.legend(handles, labels, loc=place, ncols=3, labelcolor=INK)

    def logarithmic_errors(self, errors: np.ndarray) -> None:
        """Choose a logarithmic axis if poor runs would hide the differences of good ones."""
        positive = errors[errors > 0]
        if len(positive) and positive.max() > 5 * positive.min():
            self.axes.set_yscale("log")
            self.axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            self.axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            self.axes.yaxis.set_minor_formatter(NullFormatter())

    def repeated(self, place: float, sample: np.ndarray, mean: Interval, look: Look) -> None:
        """Draw values along x at one height: their mean with its interval, and each below it."""
        colour, marker, _ = look
        # three heights, so that equal values do not hide each other
        heights = place + 0.17 + 0.02 * (np.arange(len(sample)) % 3)
        self.axes.scatter(sample, heights, s=16, color=colour, marker=marker, alpha=0.8)
        half = mean.high - mean.estimate
        if np.isfinite(half):
            bar: dict[str, Any] = {"color": colour, "capsize": 3, "elinewidth": 2, "markersize": 5}
            self.axes.errorbar(mean.estimate, place, xerr=half, fmt=marker, **bar)

    def failures(self, places: np.ndarray) -> None:
        """Mark runs without an error on the upper edge, at their places along x."""
        if len(places):
            upper = self.axes.get_xaxis_transform()
            heights = np.full(len(places), 0.97)
            self.axes.plot(places, heights, "x", color=VERMILLION, transform=upper)

    def finish(self, name: str, alt: str) -> Panel:
        """Render the panel; equal drawings give equal bytes."""
        svg = io.StringIO()
        with matplotlib.rc_context(_STYLE | {"svg.hashsalt": name}):
            self._lay_out()
            self.figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
        return Panel(name, alt, svg.getvalue(), self._pdf)

    def _lay_out(self) -> None:
        """Fit the axes to their texts in one pass, from the margins that most panels need.

        A figure with a layout engine of its own would be drawn twice for every file, and
        matplotlib's constrained layout takes two passes to find the same to 1.5 points.
        """
        width, height = 72 * self.figure.get_size_inches()
        under = sum(legend.get_window_extent().height + 2 * PAD for legend in self.figure.legends)
        self.figure.subplots_adjust(
            30 / width, (33 + under) / height, 1 - PAD / width, 1 - 17 / height
        )
        # matplotlib's stubs do not know that no rectangle means a single pass
        engine = TightLayoutEngine(pad=PAD / _STYLE["font.size"], rect=None)  # type: ignore[arg-type]
        engine.execute(self.figure)
        self.figure.subplots_adjust(bottom=self.figure.subplotpars.bottom + under / height)

    def _pdf(self) -> bytes:
        pdf = io.BytesIO()
        with matplotlib.rc_context(_STYLE):
            self.figure.savefig(pdf, format="pdf", metadata={"CreationDate": None})
        return pdf.getvalue()


def csv(frame: pd.DataFrame) -> str:
    """Return a figure's data as CSV."""
    return csv_text(frame)


def slug(text: str) -> str:
    """Return a text as part of a file name or id."""
    return "".join(c if c.isalnum() else "-" for c in text)


def inline_svg(panel: Panel, described: bool = True) -> str:
    """Return the SVG for the inside of a page.

    Style attributes become plain ones, so that the page can forbid inline styles. Ids are the
    panel's own, since the ids of two SVGs in one page would clash.

    Args:
        panel: the drawing.
        described: add its description in words for screen readers.
    """
    body = panel.svg[panel.svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r' style="([^"]*)"', _as_attributes, body)
    # matplotlib gives an id to every element, and refers to few of them
    used = set(re.findall(r"#([\w.-]+)\)?\"", body)) - {INK[1:]}
    body = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", body)
    body = re.sub(r' id="', f' id="{panel.name}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{panel.name}-", body)
    body = body.replace("xlink:href", "href").replace(INK, "currentColor")
    body = re.sub(r"\s*\n\s*", " ", body)
    body = re.sub(r' (?:d|x|y|transform)="[^"]*"', _rounded, body)
    label = f' role="img" aria-label="{_attribute(panel.alt)}"' if described else ""
    head = re.compile(r"<svg[^>]*?width=\"([\d.]+)pt\"[^>]*?(viewBox=\"[^\"]*\")[^>]*>")
    return head.sub(rf'<svg xmlns="http://www.w3.org/2000/svg" \2{label}>', body, count=1)


def standalone_svg(panel: Panel) -> str:
    """Return the SVG as a file of its own: dark on white, on whatever page."""
    body = inline_svg(panel)
    style = 'color="#1b1f24" font-family="sans-serif" stroke-linejoin="round">'
    return body.replace(">", f' {style}<rect width="100%" height="100%" fill="#ffffff"/>', 1)


def _as_attributes(match: re.Match[str]) -> str:
    pairs = (declaration.split(":", 1) for declaration in match[1].split(";") if declaration)
    kept = ((name.strip(), value.strip()) for name, value in pairs)
    # without the family, text has the page's own font
    return "".join(f' {name}="{value}"' for name, value in kept if name != "font-family")


def _rounded(match: re.Match[str]) -> str:
    """Return a coordinate with hundredths of a point; no screen shows more."""
    return re.sub(r"(\.\d\d)\d+", r"\1", match[0])


def _attribute(text: str) -> str:
    return (
        text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    )
