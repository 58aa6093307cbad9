"""The note that people wrote on a sweep, and its tags to find it by. Imports no pandas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.store.contract import Row

NOTED, TAGGED = "note", "tags"
"""Kinds of event: each replaces the earlier one of its sweep, so that nothing is lost."""


@dataclass(frozen=True)
class Note:
    """The last words on a sweep."""

    text: str = ""
    tags: tuple[str, ...] = ()


def notes(events: Iterable[Row]) -> dict[str, Note]:
    """Return the note of each sweep that has one.

    Args:
        events: rows of the table `events`.
    """
    found: dict[str, Note] = {}
    written = (one for one in events if one["kind"] in (NOTED, TAGGED))
    for one in sorted(written, key=lambda row: row["at"]):
        sweep, detail = str(one["sweep"]), str(one["detail"])
        before = found.get(sweep, Note())
        if one["kind"] == NOTED:
            found[sweep] = Note(detail, before.tags)
        else:
            found[sweep] = Note(before.text, _tags(detail))
    return found


def _tags(detail: str) -> tuple[str, ...]:
    """Read tags as JSON has them; what is no list of texts has no tag."""
    try:
        tags = json.loads(detail)
    except ValueError:
        return ()
    return tuple(str(tag) for tag in tags) if isinstance(tags, list) else ()
