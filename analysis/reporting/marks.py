"""Statuses, verdicts and answers as the report marks them: by a sign and a word, without colour.

A new sign needs its LaTeX in `analysis.reporting.rendering`.
"""

from __future__ import annotations

from analysis.paper.verdicts import Verdict
from analysis.paper.words import Word
from analysis.store.statuses import Status

STATUS_MARKS = {
    Status.COMPLETED: "✓ completed",
    Status.PRUNED: "○ pruned",
    Status.DIVERGED: "✕ diverged",
    Status.ERROR: "✕ error",
    Status.INTERRUPTED: "○ interrupted",
    Status.RUNNING: "… running",
}

VERDICT_MARKS = {
    Word.SUPPORTED: "✓ supported",
    Word.CONTRADICTED: "✕ contradicted",
    Word.NOT_DECIDED: "? not decided",
    Word.NOT_TESTED: "– not tested",
}

TOO_FEW = "△ too few runs"
"""Of a claim that is not tested although some of its runs are planned."""


def verdict_mark(verdict: Verdict) -> str:
    """Return a verdict with its sign."""
    some = verdict.word == Word.NOT_TESTED and verdict.ledger.planned
    return TOO_FEW if some else VERDICT_MARKS[verdict.word]


def yes_or_no(answer: bool) -> str:
    """Return an answer with its sign."""
    return "✓ yes" if answer else "✕ no"
