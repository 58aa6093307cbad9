"""The reason for a verdict in words: what its comparison found, and what more runs would show."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.paper.claims import paper
from analysis.paper.rules import Comparison
from analysis.paper.words import Word
from analysis.printed import benchmark_name, number, percent

OWN = "own"
"""Unit of a metric that a training function of the user's own reports: of any size."""


def reason_of(
    word: Word, given: str, deciding: Comparison | None, comparisons: Sequence[Comparison]
) -> str:
    """Say what the comparison found on which a verdict hangs, and which others are open too.

    Args:
        word: of the verdict.
        given: a reason that is known already; it stands where there is one.
        deciding: the comparison on which the verdict hangs.
        comparisons: those that the claim needs.
    """
    if given or deciding is None:
        return given
    if word != Word.NOT_DECIDED:
        return _sentence(deciding)
    text = _open_sentence(deciding)
    others = [one for one in comparisons if not one.supports and one is not deciding]
    names = "; ".join(one.name for one in others)
    return f"{text} Open too, of {len(comparisons)} comparisons: {names}." if others else text


def _sentence(one: Comparison) -> str:
    """Say what a comparison found: name, estimate, interval, runs."""
    return _found(one) + (f" {one.note[0].upper()}{one.note[1:]}." if one.note else "")


def _open_sentence(one: Comparison) -> str:
    """Say what an undecided comparison rules out, and how many runs would decide it."""
    text = _sentence(one)
    low, high = one.interval.low, one.interval.high
    if one.unit not in ("points", OWN) or not math.isfinite(low):
        return text
    unit = " points" if one.unit == "points" else ""
    if low < 0 < high:
        beyond = number(max(-low, high), digits_of(one))
        text += f" Gaps beyond {beyond}{unit} are ruled out; the direction is not known."
    if one.seeds_needed is None or one.question is None:
        return text
    test, gap = one.question
    runs = f"about {one.seeds_needed:,} runs a cell"
    if test == "no_gain":
        power = "show with 80 % power that there is no gain, if there is none."
        return f"{text} {runs.capitalize()} {power}"
    # a gap is shown as far beyond the threshold as the test can tell
    gap += one.threshold
    shown = number(gap, digits_of(one))
    return f"{text} A true gap of {shown}{unit} shows in 80 % of cases with {runs}."


def digits_of(one: Comparison) -> int:
    """Return the digits after the point that a comparison's numbers take."""
    if one.unit == OWN:
        half = (one.interval.high - one.interval.low) / 2
        known = math.isfinite(half) and half > 0
        return min(9, max(0, 1 - math.floor(math.log10(half)))) if known else 4
    return 3 if one.unit == "" else 2  # shares and correlations are below 1


def _found(one: Comparison) -> str:
    unit = {"points": " points", "ratio": " times"}.get(one.unit, "")
    runs = f"{one.runs[0]} against {one.runs[1]} runs" if one.runs[1] else f"{one.runs[0]} runs"
    if any(one.diverged) and "diverged" not in one.note:
        sides = one.diverged if one.runs[1] else one.diverged[:1]
        runs += f", {' and '.join(map(str, sides))} diverged"
    digits = digits_of(one)
    text = f"{benchmark_name(one.benchmark)}, {one.name}"
    if math.isfinite(one.interval.estimate):
        text += f": {number(one.interval.estimate, digits)}{unit}"
    if math.isfinite(one.interval.low):
        low, high = (number(x, digits) for x in (one.interval.low, one.interval.high))
        text += f" ({percent(one.confidence)} interval {low} to {high}, {runs})"
    else:
        text += f" ({runs})"
    spent, planned = 100 * one.level, 100 * paper().level["planned"]
    digits = 2 if f"{spent:.2g}" != f"{planned:.2g}" else 3
    if f"{spent:.{digits}g}" != f"{planned:.{digits}g}":
        text += f", judged at {spent:.{digits}g} %, the level of this look"
    return text + "."
