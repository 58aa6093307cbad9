"""The rule on a trend of a hypothesis: the error falls, or rises, along a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.measures.cells import Family, Key
from analysis.paper.claims import Claim
from analysis.paper.evidence import SPACE, Arm, Evidence
from analysis.paper.rules.comparison import Comparison, Finding, Missing, unready
from analysis.paper.rules.gain import undecided, untrained
from analysis.paper.rules.pairs import Pair, keeps_its_rank
from analysis.statistics.intervals import Contrast


def trend(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if the 95 % interval of the mean change from one level to the next lies on its side.

    The change is the least-squares slope over the levels in their order, averaged over blocks that
    hold every other parameter equal.
    """
    column, rises = (claim.trend or {})["column"], (claim.trend or {})["rises"]
    arms = evidence.arms(claim, benchmark, claim.parameters)
    place = claim.parameters.index(column)
    levels = sorted({key[place] for key in arms if key[place] is not None})
    name = f"{column.removeprefix(SPACE)}, a level"
    if not arms:
        return []
    if len(levels) < 2:
        return [Missing(name, benchmark, "needs runs of at least two levels")]
    name = f"{column.removeprefix(SPACE)} from {levels[0]:g} to {levels[-1]:g}, a level"
    blocks = _blocks(arms, place)
    for block, keys in blocks.items():
        for level in levels:
            if level not in keys:
                where = ", ".join([f"{level:g}", *map(str, block)])
                return [Missing(name, benchmark, f"no runs of {where}")]
    not_yet = unready(
        name, benchmark, tuple(arms[k] for b in blocks.values() for k in b.values()), claim
    )
    if not_yet:
        return [not_yet]
    return [_decided(claim, name, benchmark, arms, blocks, levels, rises)]


def _blocks(arms: Mapping[Key, Arm], place: int) -> dict[Key, dict[Any, Key]]:
    blocks: dict[Key, dict[Any, Key]] = {}
    for key in arms:
        if key[place] is not None:
            block = (*key[:place], *key[place + 1 :])
            blocks.setdefault(block, {})[key[place]] = key
    return blocks


def _decided(
    claim: Claim,
    name: str,
    benchmark: str,
    arms: Mapping[Key, Arm],
    blocks: Mapping[Key, Mapping[Any, Key]],
    levels: list[Any],
    rises: bool,
) -> Comparison:
    # where the error falls, the levels at the end gain on those at the beginning
    index = np.arange(len(levels)) - (len(levels) - 1) / 2
    slope = index / np.sum(index**2) * (1 if rises else -1)
    family = Family(arms)
    gains = [i for i in range(len(levels)) if slope[i] < 0]
    loses = [i for i in reversed(range(len(levels))) if slope[i] > 0]
    sides = [
        tuple(keys[levels[i]] for keys in blocks.values() for i in places)
        for places in (gains, loses)
    ]
    pair = Pair(name, benchmark, family, sides[0], sides[1], claim.unit)
    used = [key for keys in blocks.values() for key in keys.values()]
    if not all(len(arms[key].sample) for key in used):
        return untrained(pair)
    weights = {
        keys[level]: float(weight) / len(blocks)
        for keys in blocks.values()
        for level, weight in zip(levels, slope, strict=True)
        if weight != 0
    }
    return _held(pair, family.contrast(weights))


def _held(pair: Pair, gain: Contrast) -> Comparison:
    compared = replace(undecided(pair, gain), question=("difference", abs(gain.estimate)))
    interval = gain.interval(1 - compared.level)
    supports = interval.low > 0 and keeps_its_rank(pair.candidate, pair.reference)
    against = interval.high < 0 and keeps_its_rank(pair.reference, pair.candidate)
    return replace(compared, supports=supports, against_p=gain.p_value() if against else 1.0)
