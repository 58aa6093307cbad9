"""The rule about even k."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.measures.cells import Family
from analysis.paper.claims import Claim
from analysis.paper.evidence import Arm, Evidence
from analysis.paper.rules.comparison import (
    Comparison,
    Finding,
    Missing,
    confidence_of,
    diverged_of,
    level_of,
    unready,
)
from analysis.statistics.intervals import NO_CONTRAST, Contrast
from analysis.statistics.proportions import boschloo

EVEN = (2, 4)


def even_order(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if k = 2 and k = 4 are each worse than the mean of both odd neighbours.

    Worse in error, averaged over s, or in diverged runs. The two ways share the level of 5 %.
    """
    arms = evidence.arms(claim, benchmark, ["k", "s"])
    return [_decide(claim, Family(arms), k, benchmark) for k in EVEN] if arms else []


def _decide(claim: Claim, family: Family[Arm], k: int, benchmark: str) -> Finding:
    name, arms = f"k = {k} against its neighbours", family.cells
    triple = (k - 1, k, k + 1)
    blocks = sorted({s for _, s in arms if all((order, s) in arms for order in triple)})
    if not blocks:
        return Missing(name, benchmark, f"needs k = {k - 1}, {k} and {k + 1} at the same s")
    even = tuple(arms[k, s] for s in blocks)
    odd = tuple(arms[order, s] for s in blocks for order in (k - 1, k + 1))
    not_yet = unready(name, benchmark, (*even, *odd), claim)
    if not_yet:
        return not_yet
    excess = _excess(family, triple, blocks)
    (failed, of), (odd_failed, odd_of) = diverged_of(even), diverged_of(odd)
    rates = failed / of, odd_failed / odd_of
    # half of the level for each way, and half of that for the one side of a two-sided test
    level = level_of(even, odd)
    more_often = (
        rates[0] > rates[1] and boschloo((failed, odd_failed), (of, odd_of), "greater") < level / 4
    )
    worse = excess.interval(1 - level / 2).low > 0 and rates[0] >= rates[1]
    helps = excess.interval(1 - level).high < 0 and rates[0] <= rates[1]
    return Comparison(
        name=name,
        benchmark=benchmark,
        candidate=even,
        reference=odd,
        unit="points",
        interval=excess.interval(confidence_of(level)),
        supports=worse or more_often,
        against_p=excess.p_value() if helps else 1.0,
        level=level,
        note=f"{failed} of {of} runs diverged, {odd_failed} of {odd_of} at odd k",
    )


def _excess(family: Family[Arm], triple: tuple[int, int, int], blocks: Sequence[int]) -> Contrast:
    """Return err(k) - (err(k - 1) + err(k + 1)) / 2, averaged over the s where all three ended."""
    arms = family.cells
    ended = [s for s in blocks if all(len(arms[order, s].sample) for order in triple)]
    if not ended:
        return NO_CONTRAST
    signs = dict(zip(triple, (-0.5, 1.0, -0.5), strict=True))
    return family.contrast({(k, s): signs[k] / len(ended) for k in triple for s in ended})
