"""The rule about even k."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.paper.claims import Claim
from analysis.paper.evidence import Arm, Evidence
from analysis.paper.rules.pairs import Family, family
from analysis.paper.rules.part import Missing, Outcome, Part, counts, level_of, unready
from analysis.statistics.intervals import Contrast
from analysis.statistics.proportions import boschloo

EVEN = (2, 4)


def even_order(claim: Claim, evidence: Evidence, benchmark: str) -> list[Outcome]:
    """Hold where k = 2 and k = 4 are each worse than the mean of both odd neighbours.

    Worse in error, averaged over s, or in diverged runs; each of the two ways has half of 5 %.
    """
    arms = evidence.arms(claim, benchmark, ["k", "s"])
    return [_decide(claim, family(arms), k, benchmark) for k in EVEN] if arms else []


def _decide(claim: Claim, everyone: Family, k: int, benchmark: str) -> Outcome:
    name, arms = f"k = {k} against its neighbours", everyone.arms
    triple = (k - 1, k, k + 1)
    blocks = sorted({s for _, s in arms if all((order, s) in arms for order in triple)})
    if not blocks:
        return Missing(name, benchmark, f"needs k = {k - 1}, {k} and {k + 1} at the same s")
    even = [arms[k, s] for s in blocks]
    odd = [arms[order, s] for s in blocks for order in (k - 1, k + 1)]
    not_yet = unready(name, benchmark, [*even, *odd], claim)
    if not_yet:
        return not_yet
    excess = _excess(everyone, triple, blocks)
    (failed, of), (odd_failed, odd_of) = _failures(even), _failures(odd)
    rates = failed / of, odd_failed / odd_of
    level = level_of(even, odd)
    more_often = (
        rates[0] > rates[1] and boschloo((failed, odd_failed), (of, odd_of), "greater") < level / 4
    )
    worse = excess.interval(1 - level / 2).low > 0 and rates[0] >= rates[1]
    helps = excess.interval(1 - level).high < 0 and rates[0] <= rates[1]
    runs, diverged, censored, ids = counts(even, odd)
    return Part(
        name=name,
        benchmark=benchmark,
        unit="points",
        interval=excess.interval(),
        threshold=0.0,
        supports=worse or more_often,
        support_p=1.0,
        against_p=excess.p_value() if helps else 1.0,
        runs=runs,
        diverged=diverged,
        censored=censored,
        run_ids=ids,
        level=level,
        note=f"{failed} of {of} runs diverged, {odd_failed} of {odd_of} at odd k",
    )


def _excess(everyone: Family, triple: tuple[int, int, int], blocks: Sequence[int]) -> Contrast:
    """Return err(k) - (err(k - 1) + err(k + 1)) / 2, averaged over the s where all three ended."""
    arms = everyone.arms
    ended = [s for s in blocks if all(len(arms[order, s].cell.sample) for order in triple)]
    if not ended:
        return Contrast(float("nan"), float("nan"), 0.0)
    signs = dict(zip(triple, (-0.5, 1.0, -0.5), strict=True))
    return everyone.contrast({(k, s): signs[k] / len(ended) for k in triple for s in ended})


def _failures(arms: Sequence[Arm]) -> tuple[int, int]:
    return sum(arm.cell.diverged for arm in arms), sum(arm.runs for arm in arms)
