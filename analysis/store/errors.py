"""What can be wrong with a request or with stored results."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StoreError(ValueError):
    """Stored results that are missing, unreadable or newer than this reader."""


class StoreWarning(UserWarning):
    """A damaged part that was skipped; the message names it."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return one line that says what is unknown and which names come closest."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    close = close or [other for other in known if name and name in other][:3]
    if close:
        return f"no {kind} {name!r}: did you mean {' or '.join(map(repr, close))}?"
    return f"no {kind} {name!r}: there is {', '.join(map(repr, known)) or 'none at all'}"
