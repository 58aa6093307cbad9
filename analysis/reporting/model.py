"""A report before it is HTML, Markdown or LaTeX: every number is already text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; a `strong` one stands out."""

    text: str
    strong: bool = False
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Commands:
    """Commands to type."""

    lines: tuple[str, ...]
    kind: ClassVar[str] = "commands"


@dataclass(frozen=True)
class PrintedTable:
    """Rows of text; `numeric` names the columns that align to the right."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()
    note: str = ""
    strong: frozenset[tuple[int, int]] = frozenset()
    """Cells (row, column) that stand out, as the best of a column."""
    keeps_shape: bool = False
    """True if the columns stay side by side on a narrow screen."""
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Panel:
    """One drawing: its SVG as matplotlib writes it, a description in words, its PDF on demand."""

    name: str
    alt: str
    svg: str
    pdf: Callable[[], bytes]


@dataclass(frozen=True)
class PrintedFigure:
    """Panels under one caption, with the data that they draw as CSV."""

    name: str
    caption: str
    panels: tuple[Panel, ...]
    data: str
    paired: bool = False
    """True if panels come in twos that belong side by side."""
    kind: ClassVar[str] = "figure"


@dataclass(frozen=True)
class Attachment:
    """A table for machines: too long to print, offered as CSV."""

    name: str
    caption: str
    data: str
    kind: ClassVar[str] = "attachment"


Block = Paragraph | Commands | PrintedTable | PrintedFigure | Attachment


@dataclass(frozen=True)
class ReportSection:
    """A heading and the blocks below it."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    subtitle: str
    sections: tuple[ReportSection, ...]
