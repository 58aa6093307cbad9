"""What a report says, before it is HTML, Markdown or LaTeX: every number is already text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar


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
