"""What a report says, before it is HTML, Markdown or LaTeX: every number is already text."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from analysis.statistics.intervals import Interval

MISSING = "–"


@dataclass(frozen=True)
class Text:
    """A paragraph; `strong` ones stand out."""

    text: str
    strong: bool = False
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Code:
    """Commands to type."""

    lines: tuple[str, ...]
    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class Table:
    """Rows of text; `numeric` names the columns that align to the right."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()
    note: str = ""
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Panel:
    """One drawing: an SVG as matplotlib writes it, what it shows in words, its PDF on demand."""

    name: str
    alt: str
    svg: str
    pdf: Callable[[], bytes]


@dataclass(frozen=True)
class Figure:
    """Panels under one caption, with the data that they draw as CSV."""

    name: str
    caption: str
    panels: tuple[Panel, ...]
    data: str
    paired: bool = False
    """Whether panels come in twos that belong side by side."""
    kind: ClassVar[str] = "figure"


@dataclass(frozen=True)
class Data:
    """A table for machines: too long to print, offered as CSV."""

    name: str
    caption: str
    data: str
    kind: ClassVar[str] = "data"


Block = Text | Code | Table | Figure | Data


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """A whole report."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]


def number(value: float | None, digits: int = 2) -> str:
    """Write a number with so many digits after the point; a dash for none."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    zero = not text.strip("-0.")  # a negative number that rounds to zero has no sign
    return text.lstrip("-") if zero else text.replace("-", "−")


def short(value: object) -> str:
    """Write a parameter's value: at most three significant digits, words as they are."""
    if value is None or value != value:  # NaN is not itself
        return MISSING
    if isinstance(value, float):
        return f"{value:.3g}".replace("e-0", "e-").replace("-", "−")
    return str(value)


def interval(value: Interval, digits: int = 2) -> str:
    """Write `1.66 (1.58 to 1.74)`, or the estimate alone where it has no interval."""
    if not math.isfinite(value.low):
        return number(value.estimate, digits)
    low, high = number(value.low, digits), number(value.high, digits)
    return f"{number(value.estimate, digits)} ({low} to {high})"


def count(n: int, noun: str) -> str:
    """Write `1 run` or `2 runs`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def seconds(value: float | None) -> str:
    """Write a duration in the unit that reads best."""
    if value is None or not math.isfinite(value):
        return MISSING
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
