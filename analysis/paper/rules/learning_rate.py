"""The rule about how fast errors rise with the learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.measures.cells import Family, Key
from analysis.paper.claims import Claim
from analysis.paper.evidence import Arm, Evidence
from analysis.paper.rules.comparison import Finding, Missing, unready
from analysis.paper.rules.gain import undecided, untrained
from analysis.paper.rules.pairs import Pair, keeps_its_rank
from analysis.printed import activation_name
from analysis.statistics.intervals import Floats


def steeper(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if a reference's error rises faster with the learning rate than a candidate's.

    The slopes are least squares, in points a decade. The 95 % interval of their difference has to
    lie above 0, and the candidate must not diverge more often, unless the ranks agree.
    """
    sides = claim.arms or {}
    arms = evidence.arms(claim, benchmark, ["activation", "learning_rate"])
    family = Family(arms)
    return [
        _decide(claim, family, benchmark, candidate, reference)
        for reference in (sides["references"] if arms else ())
        for candidate in sides["candidates"]
    ]


def _decide(
    claim: Claim, family: Family[Arm], benchmark: str, candidate: str, reference: str
) -> Finding:
    name = f"{activation_name(candidate)} against {activation_name(reference)}, points a decade"
    keys = [_keys(family, activation) for activation in (candidate, reference)]
    rates = [[rate for _, rate in own] for own in keys]
    for level in (claim.factor or {})["required"]:
        if not all(any(math.isclose(rate, level) for rate in own) for own in rates):
            return Missing(name, benchmark, f"no runs of both at a rate of {level:g}")
    # two slopes compare only over the same rates
    keys = [[key for key in own if key[1] in rates[0] and key[1] in rates[1]] for own in keys]
    pair = Pair(name, benchmark, family, tuple(keys[0]), tuple(keys[1]))
    not_yet = unready(name, benchmark, (*pair.candidate, *pair.reference), claim)
    if not_yet:
        return not_yet
    # a rate at which every run of one side diverged has no mean; `keeps_its_rank` counts it
    ended = [all(len(family.cells[key].sample) for key in both) for both in zip(*keys, strict=True)]
    if sum(ended) < 2:
        return untrained(pair)
    weights = _slope([key[1] for key, there in zip(keys[0], ended, strict=True) if there])
    used = [[key for key, there in zip(own, ended, strict=True) if there] for own in keys]
    rise = family.contrast(
        dict(zip(used[1], weights, strict=True)) | dict(zip(used[0], -weights, strict=True))
    )
    compared = undecided(pair, rise)
    interval = rise.interval(1 - compared.level)
    supports = interval.low > 0 and keeps_its_rank(pair.candidate, pair.reference)
    against = interval.high < 0 and keeps_its_rank(pair.reference, pair.candidate)
    return replace(compared, supports=supports, against_p=rise.p_value() if against else 1.0)


def _keys(family: Family[Arm], activation: str) -> list[Key]:
    return sorted(key for key in family.cells if key[0] == activation)


def _slope(rates: Sequence[float]) -> Floats:
    """Return the weights, (rates,), of means at these rates in the slope over log10(rate)."""
    x: Floats = np.log10(rates) - np.mean(np.log10(rates))
    return x / np.sum(x**2)
