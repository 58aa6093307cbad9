"""Rules about a measure of the activation functions' shapes (`analysis.measures.shapes`)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

from analysis.measures.cells import Family
from analysis.measures.shapes import MEASURES
from analysis.paper.claims import Claim
from analysis.paper.evidence import Arm, Evidence
from analysis.paper.rules.comparison import (
    Comparison,
    Finding,
    Missing,
    confidence_of,
    level_of,
    unready,
)
from analysis.paper.rules.gain import exponential, undecided
from analysis.paper.rules.pairs import Pair
from analysis.printed import activation_name
from analysis.statistics.intervals import Floats, Interval, contrast
from analysis.statistics.trends import jonckheere

Bound = Literal["high", "low", "exact"]
"""The bound of a mean that has to clear the margin; of a quantity that is exact by construction,
every run has to, and there is no interval."""


def below(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if the one-sided 95 % upper bound of a measure's mean is below the margin."""
    return _each_activation(claim, evidence, benchmark, dict.fromkeys(claim.activations, "high"))


def above(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if the one-sided 95 % lower bound of a measure's mean is above the margin."""
    return _each_activation(claim, evidence, benchmark, dict.fromkeys(claim.activations, "low"))


def straight(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if a measure is below the margin in every run; against it stands no run below.

    Eq. 2 makes PolyNeuron's tails straight at k = 3: runs differ by rounding alone.
    """
    return _each_activation(claim, evidence, benchmark, dict.fromkeys(claim.activations, "exact"))


def pulled(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if points shrink more at the largest penalty than without one, and along all levels.

    The 95 % interval of the ratio of shrinkages has to lie below the margin, and Jonckheere's test
    to find the trend. Against the claim stands a ratio whose one-sided lower bound is above the
    margin.
    """
    factor = claim.factor or {}
    column = factor["column"]
    arms = dict(sorted(evidence.arms(claim, benchmark, [column], claim.measures[0]).items()))
    if not arms:
        return []
    first, last = next(iter(arms)), list(arms)[-1]
    name = f"{column} = {last[0]:g} against {first[0]:g}"
    for level in (factor["reference"], *factor["required"]):
        if not any(math.isclose(key[0], level, rel_tol=1e-9) for key in arms):
            return [Missing(name, benchmark, f"no runs with {column} = {level:g}")]
    not_yet = unready(name, benchmark, list(arms.values()), claim)
    if not_yet:
        return [not_yet]
    if any(len(arms[key].sample) < claim.minimum_runs for key in (first, last)):
        return [Missing(name, benchmark, "too few runs with snapshots of their control points")]
    # the "gain" of no penalty over the largest one is the latter's log ratio less the former's
    pair = Pair(name, benchmark, Family(arms), (first,), (last,))
    change = pair.gain()
    trend = jonckheere([arm.sample for arm in arms.values()], "less")
    little = math.log(claim.margin or 1.0)
    level = level_of(list(arms.values()))
    decided = replace(
        undecided(pair, change),
        unit="ratio",
        interval=exponential(change.interval(confidence_of(level))),
        threshold=claim.margin or 1.0,
        supports=change.interval(1 - level).high < little and trend < level,
        against_p=change.p_value(little, "greater"),
        level=level,
        note=f"trend over {len(arms)} levels: p = {trend:.2g}",
    )
    return [decided]


def _each_activation(
    claim: Claim, evidence: Evidence, benchmark: str, sides: dict[str, Bound]
) -> list[Finding]:
    found: list[Finding] = []
    for measure in (*claim.measures, *claim.also_below):
        arms = evidence.arms(claim, benchmark, ["activation"], measure)
        for activation, side in sides.items() if arms else ():
            name = f"{activation_name(activation)}, {MEASURES[measure].printed}"
            arm = arms.get((activation,))
            if measure in claim.measures:
                one = _decide(claim, arm, name, benchmark, side, claim.margin or 0.0)
            else:  # a mean above 0 fails to support the claim, and refutes nothing
                one = _decide(claim, arm, name, benchmark, "high", 0.0)
                one = replace(one, against_p=1.0) if isinstance(one, Comparison) else one
            found.append(_within(one, *MEASURES[measure].range))
    return found


def _within(one: Finding, lowest: float, highest: float) -> Finding:
    """Return a finding whose interval ends where the measure does: Student's knows no bounds."""
    if isinstance(one, Missing):
        return one
    low, high = max(one.interval.low, lowest), min(one.interval.high, highest)
    return replace(one, interval=replace(one.interval, low=low, high=high))


def _decide(
    claim: Claim, arm: Arm | None, name: str, benchmark: str, side: Bound, margin: float
) -> Finding:
    """Hold a mean against the margin, which the bound named by `side` has to clear."""
    if arm is None:
        return Missing(name, benchmark, f"no runs of {name}")
    not_yet = unready(name, benchmark, [arm], claim)
    if not_yet:
        return not_yet
    measured = len(arm.sample)
    if measured < claim.minimum_runs:
        reason = f"{measured} runs have snapshots, and it takes {claim.minimum_runs}"
        return Missing(name, benchmark, reason)
    mean, level = contrast([arm.sample], [1]), level_of([arm])
    compared = Comparison(
        name=name,
        benchmark=benchmark,
        candidate=(arm,),
        reference=(),
        unit="",
        interval=mean.interval(confidence_of(level)),
        threshold=margin,
        level=level,
    )
    if side == "exact":
        return _exact(compared, arm.sample)
    bound = mean.bound(side, 1 - level_of([arm]))
    return replace(
        compared,
        supports=bound < margin if side == "high" else bound > margin,
        against_p=mean.p_value(margin, "greater" if side == "high" else "less"),
    )


def _exact(compared: Comparison, sample: Floats) -> Comparison:
    """Decide by the margin alone, which every run has to keep, or none."""
    holds = sample < compared.threshold
    shown = "all" if holds.all() else f"{holds.sum()} of"
    return replace(
        compared,
        interval=Interval(compared.interval.estimate, math.nan, math.nan),
        supports=bool(holds.all()),
        against_p=1.0 if holds.any() else 0.0,
        note=f"holds in {shown} {len(sample)} runs, no interval",
    )
