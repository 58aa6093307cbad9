"""Notes and tags on a sweep, written beside its driver."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import analysis
from analysis.measures.notes import NOTED, TAGGED, Note, notes
from analysis.measures.rows import records
from analysis.store.errors import StoreError
from analysis.store.schema import EVENTS
from sweeps.store.paths import SweepPaths

TAG = re.compile(r"[\w.:-]{1,40}")
"""A tag is one word, so that tags can be listed in a line."""


def annotate(
    root: Path,
    name: str,
    text: str | None = None,
    tags: Sequence[str] = (),
    untag: Sequence[str] = (),
) -> Note:
    """Replace the note of a sweep, add tags and take some away.

    Args:
        root: of all sweeps.
        name: of the sweep, which may be running.
        text: the note; None leaves it as it is, and an empty one takes it away.
        tags: to add.
        untag: to take away.

    Returns:
        The note as it is now.

    Raises:
        StoreError: no such sweep, or a tag is not one word.
    """
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise StoreError(
                f"--tag: a word of at most 40 letters, digits and . : _ -; got {tag!r}"
            )
    events = analysis.load(root, [name]).events
    before = notes(records(events)).get(name, Note())
    kept = [tag for tag in dict.fromkeys((*before.tags, *tags)) if tag not in untag]
    after = Note(before.text if text is None else text, tuple(kept))
    rows = []
    if after.text != before.text:
        rows.append((NOTED, after.text))
    if after.tags != before.tags:
        rows.append((TAGGED, json.dumps(after.tags)))
    if rows:
        now = datetime.now(UTC)
        # A name of its own: two notes at a time, or one beside the driver, are two parts.
        writer = SweepPaths(root.resolve(), name).store.writer(f"note-{uuid.uuid4().hex[:12]}")
        writer.write(
            EVENTS,
            [
                {"sweep": name, "run_id": "", "at": now, "kind": kind, "epoch": 0, "detail": detail}
                for kind, detail in rows
            ],
        )
    return after
