"""Errors and warnings of a store, and the damage that a reader reports beside its rows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class PlainError(Exception):
    """An error whose message says all: a notebook shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks an exception for the lines to show.
        return [f"{type(self).__name__}: {self}"]


class StoreError(PlainError, ValueError):
    """Stored results that are missing, unreadable or newer than this reader."""


class StoreWarning(UserWarning):
    """A damaged file that was left out; the message names it."""


@dataclass(frozen=True)
class DamagedFile:
    """A file that could not be read and was left out, or rows that are missing."""

    path: str
    """Of the file; of rows the run or trial that lacks them, below its sweep."""
    reason: str
    left_out: bool = True
    """False where nothing is left to be read."""

    def __str__(self) -> str:
        """Say what is damaged, and how."""
        return f"{'skipped damaged ' if self.left_out else ''}{self.path}: {self.reason}"


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return one line that names what is unknown and the known names closest to it."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    close = close or [other for other in known if name and name in other][:3]
    if close:
        return f"no {kind} {name!r}: did you mean {' or '.join(map(repr, close))}?"
    return f"no {kind} {name!r}: there is {', '.join(map(repr, known)) or 'none at all'}"
