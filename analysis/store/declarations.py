"""Declarations of hypotheses: an event of a sweep that tells what it declared, and when."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

DECLARED = "declared"
"""Kind of the event."""


def declaration(entries: Iterable[Mapping[str, Any]], runs: int) -> str:
    """Return the event's detail: the hypotheses, when the sweep had so many runs."""
    hashes = {entry["name"]: hypothesis_sha256(entry) for entry in entries}
    return json.dumps({"hypotheses": hashes, "runs": runs}, sort_keys=True)


def hypothesis_sha256(entry: Mapping[str, Any]) -> str:
    """Return the hash of a hypothesis as a resolved specification has it."""
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()


def known_before(details: Iterable[str], entry: Mapping[str, Any]) -> bool:
    """Return True if a hypothesis, as it is now, was declared before the sweep had any run."""
    found = hypothesis_sha256(entry)
    told = map(json.loads, details)
    return any(
        one.get("runs") == 0 and one.get("hypotheses", {}).get(entry["name"]) == found
        for one in told
    )
