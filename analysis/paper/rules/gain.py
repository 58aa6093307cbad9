"""Rules about the gain of a candidate over a reference: the reference's error less its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Arm, Evidence
from analysis.paper.rules.pairs import Pair, keeps_its_rank, pairs, rank_p
from analysis.paper.rules.part import Missing, Outcome, Part, counts, level_of, unready
from analysis.statistics.intervals import Contrast, Interval
from analysis.statistics.power import Test
from analysis.statistics.trends import jonckheere


def better(claim: Claim, evidence: Evidence, benchmark: str) -> list[Outcome]:
    """Hold where the 95 % interval of the gain lies above 0."""
    return [_decide(pair, claim, _better) for pair in pairs(claim, evidence, benchmark)]


def no_gain(claim: Claim, evidence: Evidence, benchmark: str) -> list[Outcome]:
    """Hold where the one-sided 95 % upper bound of the gain is below the margin."""
    made = list(pairs(claim, evidence, benchmark))
    found = [_decide(pair, claim, _no_gain) for pair in made]
    if claim.factor is None or not claim.factor.get("trend"):
        return found
    note = _trend_note([pair for pair in made if isinstance(pair, Pair)])
    return [
        replace(part, note=f"{part.note}; {note}" if part.note else note)
        if isinstance(part, Part)
        else part
        for part in found
    ]


def best_choice(claim: Claim, evidence: Evidence, benchmark: str) -> list[Outcome]:
    """Hold where no cell gains over the reference, and where it is better than cheaper ones.

    A cheaper cell that is as good would restrict the computations further.
    """
    found = no_gain(claim, evidence, benchmark)
    cheaper = [list(cell) for cell in (claim.grid or {})["cheaper"]]
    for pair in pairs(claim, evidence, benchmark):
        if isinstance(pair, Pair) and list(pair.candidates[0]) in cheaper:
            found.append(_decide(pair.turned(), claim, _better))
    return found


def somewhere(claim: Claim, evidence: Evidence, benchmark: str) -> list[Outcome]:
    """Hold where, after Holm's correction, the gain of at least one pair lies above 0."""
    return [_decide(pair, claim, _somewhere) for pair in pairs(claim, evidence, benchmark)]


def slower(claim: Claim, evidence: Evidence, benchmark: str) -> list[Outcome]:
    """Hold where the 95 % interval of a ratio of epoch times lies above the margin.

    Of the levels of a factor the largest counts. Times compare only within one device.
    """
    if len(evidence.devices(claim, benchmark)) > 1:
        return [Missing("epoch times", benchmark, "the runs are from more than one device")]
    made = list(pairs(claim, evidence, benchmark, "log_epoch_seconds"))
    chosen = made if claim.factor is None else made[-1:]
    return [_decide(pair, claim, _slower) for pair in chosen]


def _decide(pair: Pair | Missing, claim: Claim, decide: Callable[[Pair, Claim], Part]) -> Outcome:
    if isinstance(pair, Missing):
        return pair
    arms = (*pair.candidate, *pair.reference)
    return unready(pair.name, pair.benchmark, arms, claim) or decide(pair, claim)


def _better(pair: Pair, claim: Claim) -> Part:
    gain = pair.gain()
    part = pair_part(pair, gain, ("difference", _gap_to_find(pair, claim, gain)))
    if not all(part.runs):
        return _by_rank(part, supports=pair.candidate, refutes=pair.reference)
    interval = gain.interval(1 - part.level)
    supports = interval.low > 0 and keeps_its_rank(pair.candidate, pair.reference)
    against = interval.high < 0 and keeps_its_rank(pair.reference, pair.candidate)
    return replace(part, supports=supports, against_p=gain.p_value() if against else 1.0)


def _no_gain(pair: Pair, claim: Claim) -> Part:
    gain, margin = pair.gain(), margin_of(claim, pair.benchmark)
    part = replace(pair_part(pair, gain, ("no_gain", margin)), threshold=margin)
    if not part.runs[0]:
        return replace(part, supports=True, note="every run of it diverged")
    if not part.runs[1]:
        return _by_rank(part, supports=pair.reference, refutes=pair.candidate)
    below = gain.bound("high", 1 - part.level) < margin
    supports = below and keeps_its_rank(pair.reference, pair.candidate, margin)
    against = not below and gain.interval(1 - part.level).low > 0
    against = against and keeps_its_rank(pair.candidate, pair.reference)
    return replace(part, supports=supports, against_p=gain.p_value() if against else 1.0)


def _somewhere(pair: Pair, claim: Claim) -> Part:
    gain, margin = pair.gain(), margin_of(claim, pair.benchmark)
    part = pair_part(pair, gain, ("difference", margin))
    if not all(part.runs):
        part = _by_rank(part, supports=pair.candidate, refutes=pair.reference)
        return replace(part, support_p=rank_p(pair.candidate, pair.reference))
    gains = gain.estimate > 0 and keeps_its_rank(pair.candidate, pair.reference)
    none = gain.bound("high", 1 - part.level) < margin
    none = none and keeps_its_rank(pair.reference, pair.candidate, margin)
    return replace(
        part,
        supports=gains and gain.interval(1 - part.level).low > 0,
        support_p=gain.p_value() if gains else 1.0,
        against_p=gain.p_value(margin, "less") if none else 1.0,
    )


def _slower(pair: Pair, claim: Claim) -> Part:
    """Decide on logarithms of times: the candidate's less the reference's."""
    gain, limit = pair.gain(), math.log(claim.margin or 1.0)
    longer = Contrast(-gain.estimate, gain.standard_error, gain.freedom)
    part = pair_part(pair, gain)
    interval = longer.interval(1 - part.level)
    against = interval.high < limit
    return replace(
        part,
        unit="ratio",
        interval=exponential(longer.interval()),
        threshold=claim.margin or 1.0,
        supports=interval.low > limit,
        against_p=longer.p_value(limit) if against else 1.0,
        note="runs of one trial follow each other on one worker, so that what slowed it is in all",
    )


def _by_rank(part: Part, supports: Sequence[Arm], refutes: Sequence[Arm]) -> Part:
    """Decide where no run of one side ended: by ranks, with diverged runs as the worst."""
    return replace(
        part,
        supports=rank_p(supports, refutes) < part.level / 2,
        against_p=min(1.0, 2 * rank_p(refutes, supports)),
        note=f"every run of {'it' if not part.runs[0] else 'the other'} diverged",
    )


def pair_part(pair: Pair, gain: Contrast, question: tuple[Test, float] | None = None) -> Part:
    """Return the part of a pair, undecided; `question` is what more runs would be meant for."""
    runs, diverged, censored, ids = counts(pair.candidate, pair.reference)
    # of one run, whatever the number of blocks and whoever shares the deviation
    share = 1 / runs[0] + 1 / runs[1] if min(runs) else math.inf
    return Part(
        name=pair.name,
        benchmark=pair.benchmark,
        unit="points",
        interval=gain.interval(),
        threshold=0.0,
        supports=False,
        support_p=1.0,
        against_p=1.0,
        runs=runs,
        diverged=diverged,
        censored=censored,
        run_ids=ids,
        level=level_of(pair.candidate, pair.reference),
        deviation=gain.standard_error / math.sqrt(share),
        question=question,
        blocks=len(pair.candidates),
    )


def _trend_note(made: Sequence[Pair]) -> str:
    """Describe how errors go along a factor's levels, each block about its own median."""
    levels = [made[0].reference, *(pair.candidate for pair in made)] if made else []
    ended = [[arm.cell.sample for arm in arms] for arms in levels]
    blocks = [np.concatenate(block) for block in zip(*ended, strict=True)]
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
    """Return an interval of logarithms as one of ratios."""
    return Interval(*(math.exp(x) for x in (interval.estimate, interval.low, interval.high)))


def _gap_to_find(pair: Pair, claim: Claim, gain: Contrast) -> float:
    """Return the paper's own gap, where Table 1 has it; else the one observed."""
    printed = paper().table1[pair.benchmark]
    names = [key[0] for key in (*pair.candidates, *pair.references)]
    if claim.at == "last" and claim.arms is not None:
        return abs(printed[names[1]] - printed[names[0]])
    return abs(gain.estimate)
