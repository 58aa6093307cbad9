"""The words of a verdict."""

from __future__ import annotations

from enum import StrEnum


class Word(StrEnum):
    """What the runs say on a claim; equal to the text that a table has."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NOT_DECIDED = "not decided"
    """These runs cannot tell: more seeds may."""
    NOT_TESTED = "not tested"
    """No runs, or too few, may speak on the claim."""
