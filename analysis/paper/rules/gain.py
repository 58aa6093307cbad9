"""Rules about the gain of a candidate over a reference: the reference's error less its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from analysis.measures.timing import LOADED
from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Evidence
from analysis.paper.rules.comparison import (
    Comparison,
    Finding,
    Missing,
    confidence_of,
    level_of,
    unready,
)
from analysis.paper.rules.pairs import Pair, keeps_its_rank, pairs
from analysis.printed import activation_name, count
from analysis.statistics.intervals import NO_CONTRAST, Contrast, Interval
from analysis.statistics.power import Test
from analysis.statistics.trends import jonckheere


def better(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if the 95 % interval of the gain lies above 0, or above what the claim asks for."""
    return [_decide(pair, claim, _better) for pair in pairs(claim, evidence, benchmark)]


def no_gain(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if the one-sided 95 % upper bound of the gain is below the margin.

    Against the claim stands a gain whose one-sided lower bound is above the margin. The gain of an
    undecided claim may be on either side of the margin.
    """
    made = list(pairs(claim, evidence, benchmark))
    found = [_decide(pair, claim, _no_gain) for pair in made]
    if claim.factor is None or not claim.factor.get("trend"):
        return found
    note = _trend_note([pair for pair in made if isinstance(pair, Pair)])
    return [
        replace(one, note=f"{one.note}; {note}" if one.note else note)
        if isinstance(one, Comparison)
        else one
        for one in found
    ]


def equivalent(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if neither side gains more than the margin: two one-sided tests (Schuirmann 1987).

    Against the claim stands a gain of either side beyond the margin.
    """
    made = list(pairs(claim, evidence, benchmark))
    turned = [pair.turned() for pair in made if isinstance(pair, Pair)]
    return [_decide(pair, claim, _no_gain) for pair in (*made, *turned)]


def best_choice(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if no cell gains over the reference, which is better than each cheaper cell.

    A cheaper cell that is as good would restrict the computations further.
    """
    found = no_gain(claim, evidence, benchmark)
    cheaper = [list(cell) for cell in (claim.grid or {})["cheaper"]]
    for pair in pairs(claim, evidence, benchmark):
        if isinstance(pair, Pair) and list(pair.candidates[0]) in cheaper:
            found.append(_decide(pair.turned(), claim, _better))
    return found


def somewhere(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if, after Holm's correction, the gain of at least one pair lies above the margin.

    Against the claim stands that the one-sided upper bounds of all gains are below it.
    """
    return [_decide(pair, claim, _somewhere) for pair in pairs(claim, evidence, benchmark)]


def slower(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if the 95 % interval of a ratio of epoch times lies above the margin.

    The largest level of a factor counts alone. Times compare only within one device of one host,
    and the unit is a process, of which an arm needs as many as runs of others. A process whose run
    diverged has no time.
    """
    places = sorted(evidence.machines(claim, benchmark))
    if len(places) > 1:
        reason = f"the runs are from more than one device ({', '.join(places)})"
        return [Missing("epoch times", benchmark, reason)]
    made = list(pairs(claim, evidence, benchmark, "log_epoch_seconds"))
    chosen = made if claim.factor is None else made[-1:]  # levels come in ascending order
    found = [_few_processes(pair, claim) or _decide(pair, claim, _slower) for pair in chosen]
    marked = evidence.loaded(claim, benchmark)
    if not marked:
        return found
    note = f"{count(marked, 'trial')} timed while other processes used over {LOADED:.0%} of a core"
    return [
        replace(one, note="; ".join(filter(None, (one.note, note))))
        if isinstance(one, Comparison)
        else one
        for one in found
    ]


def _few_processes(pair: Pair | Missing, claim: Claim) -> Finding | None:
    if isinstance(pair, Missing):
        return None
    for arm in (*pair.candidate, *pair.reference):
        timed = len(arm.sample)
        if arm.lacking or timed >= claim.minimum_runs:
            continue
        where = f"{count(timed, 'trial')}, of one process each"
        if arm.runs >= claim.minimum_runs:
            lost = f"{arm.name}: timed in {where}; the other {arm.diverged} diverged"
            return replace(undecided(pair, NO_CONTRAST), note=lost)
        reason = f"{arm.name}: timed in {where}, and it takes {claim.minimum_runs}"
        return Missing(pair.name, pair.benchmark, reason)
    return None


def _decide(
    pair: Pair | Missing, claim: Claim, decide: Callable[[Pair, Claim], Comparison]
) -> Finding:
    if isinstance(pair, Missing):
        return pair
    arms = (*pair.candidate, *pair.reference)
    not_yet = unready(pair.name, pair.benchmark, arms, claim)
    if not_yet:
        return not_yet
    return untrained(pair) if math.isnan(pair.gain().estimate) else decide(pair, claim)


def _better(pair: Pair, claim: Claim) -> Comparison:
    gain, limit = pair.gain(), claim.by
    # a gain of twice what is asked for is as far beyond it as none is below
    question: tuple[Test, float] = ("difference", limit or _gap_to_find(pair, claim, gain))
    compared = replace(undecided(pair, gain), question=question, threshold=limit)
    interval = gain.interval(1 - compared.level)
    supports = interval.low > limit and keeps_its_rank(pair.candidate, pair.reference)
    against = interval.high < limit and keeps_its_rank(pair.reference, pair.candidate, limit)
    return replace(compared, supports=supports, against_p=gain.p_value(limit) if against else 1.0)


def _no_gain(pair: Pair, claim: Claim) -> Comparison:
    gain, margin = pair.gain(), margin_of(claim, pair.benchmark)
    compared = replace(undecided(pair, gain), question=("no_gain", margin), threshold=margin)
    below = gain.bound("high", 1 - compared.level) < margin
    gains = gain.interval(1 - compared.level).low > 0
    beyond = gain.estimate > margin and keeps_its_rank(pair.candidate, pair.reference)
    return replace(
        compared,
        supports=below and keeps_its_rank(pair.reference, pair.candidate, margin),
        against_p=gain.p_value(margin, "greater") if beyond else 1.0,
        note="a gain too small to matter" if below and gains else "",
    )


def _somewhere(pair: Pair, claim: Claim) -> Comparison:
    gain, margin = pair.gain(), margin_of(claim, pair.benchmark)
    # a gain of twice the margin is as far beyond it as none is below
    question: tuple[Test, float] = ("difference", margin)
    compared = replace(undecided(pair, gain), question=question, threshold=margin)
    gains = gain.estimate > margin and keeps_its_rank(pair.candidate, pair.reference)
    none = gain.bound("high", 1 - compared.level) < margin
    none = none and keeps_its_rank(pair.reference, pair.candidate, margin)
    return replace(
        compared,
        supports=gains and gain.interval(1 - compared.level).low > margin,
        support_p=gain.p_value(margin) if gains else 1.0,
        against_p=gain.p_value(margin, "less") if none else 1.0,
    )


def _slower(pair: Pair, claim: Claim) -> Comparison:
    """Decide on logarithms of times, whose differences are logarithms of ratios."""
    gain, limit = pair.gain(), math.log(claim.margin or 1.0)
    longer = Contrast(-gain.estimate, gain.standard_error, gain.freedom)
    compared = undecided(pair, gain)
    interval = longer.interval(1 - compared.level)
    against = interval.high < limit
    return replace(
        compared,
        unit="ratio",
        interval=exponential(longer.interval(compared.confidence)),
        threshold=claim.margin or 1.0,
        supports=interval.low > limit,
        against_p=longer.p_value(limit) if against else 1.0,
    )


def untrained(pair: Pair) -> Comparison:
    """Return the comparison, not decided, of a pair without a gain, since all runs diverged.

    A reading of the paper in which an activation cannot be trained says nothing about the error
    that the paper measured with it.
    """
    arms = (arm for arm in (*pair.candidate, *pair.reference) if not len(arm.sample))
    never = [f"all {count(arm.diverged, 'run')} of {activation_name(arm.name)}" for arm in arms]
    where = " in this reading" if pair.benchmark in paper().benchmarks else ""
    note = f"could not be trained{where}: {', '.join(never)} diverged"
    return replace(undecided(pair, NO_CONTRAST), note=note)


def undecided(pair: Pair, gain: Contrast) -> Comparison:
    """Return the comparison of a pair before a rule decides it."""
    level = level_of(pair.candidate, pair.reference)
    compared = Comparison(
        name=pair.name,
        benchmark=pair.benchmark,
        candidate=pair.candidate,
        reference=pair.reference,
        unit=pair.unit,
        interval=gain.interval(confidence_of(level)),
        level=level,
    )
    # the deviation of one run, whatever the number of blocks and whichever cells share it
    share = sum(1 / runs for runs in compared.runs) if all(compared.runs) else math.inf
    return replace(compared, deviation=gain.standard_error / math.sqrt(share))


def _trend_note(made: Sequence[Pair]) -> str:
    """Say how errors go along a factor's levels, each block about its own median."""
    levels = [made[0].reference, *(pair.candidate for pair in made)] if made else []
    ended = [[arm.sample for arm in arms] for arms in levels]
    blocks = [np.concatenate(block) for block in zip(*ended, strict=True)]
    # blocks differ by more than levels do, which would hide a trend
    centres = [np.median(block) if len(block) else 0.0 for block in blocks]
    moved = [
        np.concatenate([sample - centre for sample, centre in zip(samples, centres, strict=True)])
        for samples in ended
    ]
    rising, falling = jonckheere(moved, "greater"), jonckheere(moved, "less")
    return (
        f"along all {len(levels)} levels errors {'rise' if rising < falling else 'fall'} "
        f"with p = {min(1.0, 2 * min(rising, falling)):.2g}"
    )


def margin_of(claim: Claim, benchmark: str) -> float:
    """Return the claim's margin, or the benchmark's."""
    return paper().margin[benchmark] if claim.margin is None else claim.margin


def exponential(interval: Interval) -> Interval:
    """Return an interval of logarithms as an interval of ratios."""
    return Interval(*(math.exp(x) for x in (interval.estimate, interval.low, interval.high)))


def _gap_to_find(pair: Pair, claim: Claim, gain: Contrast) -> float:
    """Return the paper's own gap if Table 1 has it, else the observed one."""
    # the power at an observed gap only restates its p value (Hoenig and Heisey 2001)
    printed = paper().table1.get(pair.benchmark, {})
    names = [key[0] for key in (*pair.candidates, *pair.references)]
    if claim.at == "last" and claim.arms is not None:
        return abs(printed[names[1]] - printed[names[0]])
    return abs(gain.estimate)
