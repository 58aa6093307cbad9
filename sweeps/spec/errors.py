"""The error of a specification that cannot be run."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from analysis.store.errors import PlainError


class SpecError(PlainError, ValueError):
    """A specification that cannot be run; the message names the field, its value and the mend."""


OTHER_WORDS = {"lr": "learning_rate", "hours": "wall_hours"}
"""Words that newcomers guess, and the names that they mean."""


def hint(name: str, known: Sequence[str]) -> str:
    """Return the known name that a guess means or comes closest to, else all of them."""
    if OTHER_WORDS.get(name) in known:
        return f"did you mean {OTHER_WORDS[name]}?"
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
