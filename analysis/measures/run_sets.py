"""A name for a set of runs, by which a report leads from a number to the runs behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from analysis.printed import MISSING

SHOWN = 8
"""Characters of a hash that tables show; none of a report's sets share so many."""


def runs_sha256(run_ids: Iterable[str]) -> str:
    """Return the hash of a set of runs, whatever their order."""
    return hashlib.sha256("\n".join(sorted(set(run_ids))).encode()).hexdigest()


def run_set(run_ids: Iterable[str]) -> str:
    """Return the name of a set of runs in a report, the start of its hash; a dash for no runs."""
    ids = set(run_ids)
    return runs_sha256(ids)[:SHOWN] if ids else MISSING
