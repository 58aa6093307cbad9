"""Tables for terminals of any width: what matters least is left out before a word is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

GAP = 2
"""Characters between two columns."""


@dataclass(frozen=True)
class Column:
    """One column: its title, and a cell for each row."""

    title: str
    cells: Sequence[str | Text]
    rank: int = 0
    """The column of the highest rank is left out first; one of rank 0 never is."""
    right: bool = False
    """True: numbers, which stand at the right."""
    least: int | None = None
    """Characters in which the words of a cell may go on in the next line; None: one line."""

    @property
    def width(self) -> int:
        """Return the fewest characters that the column takes."""
        widest = max(len(self.title), *map(len, self.cells), 0)
        return widest if self.least is None else min(widest, self.least)


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """Return the columns that a terminal of `width` characters has room for."""
    kept = list(columns)
    while _width(kept) > width and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    return kept


def table_of(columns: Sequence[Column], width: int) -> Table:
    """Draw columns in `width` characters; where too few are left, words go on in the next line."""
    table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    shown = fitting(columns, width)
    folds = _width(shown) > width
    for column in shown:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=not folds and column.least is None,
            overflow="fold",
        )
    for row in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*row)
    return table


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)
