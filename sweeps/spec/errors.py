"""The error of a specification that cannot be run."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class SpecError(ValueError):
    """A specification that cannot be run; the message names the field, its value and the mend."""


def hint(name: str, known: Sequence[str]) -> str:
    """Return the known name that comes closest to a misspelt one, else all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
