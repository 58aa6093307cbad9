"""From a number back to its runs: a set of runs has a hash, and the report lists what is behind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

SHOWN = 8
"""Characters of a hash that tables show; none of a report's sets share so many."""


def runs_sha256(run_ids: Iterable[str]) -> str:
    """Return the hash of a set of runs, whatever their order."""
    return hashlib.sha256("\n".join(sorted(set(run_ids))).encode()).hexdigest()


def run_set(run_ids: Iterable[str]) -> str:
    """Return its first characters, the set's name in a report; a dash for no runs."""
    ids = set(run_ids)
    return runs_sha256(ids)[:SHOWN] if ids else "–"
