"""The rule about the figures that the paper prints."""

from __future__ import annotations

import math
from dataclasses import replace

from analysis.measures.cells import Family
from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Arm, Evidence
from analysis.paper.rules.comparison import (
    Comparison,
    Finding,
    Missing,
    confidence_of,
    level_of,
    unready,
)
from analysis.printed import activation_name, number
from analysis.statistics.intervals import Contrast


def reported(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if the 90 % interval of our mean less Table 1's lies within the tolerance.

    The two one-sided tests of Schuirmann (1987): the tolerance is the distance that two means of
    five runs may have by chance. Against the claim stands a difference whose one-sided 95 % bound
    is beyond the tolerance.
    """
    arms = evidence.arms(claim, benchmark, ["activation"])
    found: list[Finding] = []
    for activation in claim.activations if arms else ():
        name = f"{activation_name(activation)} against the paper's"
        if (activation,) not in arms:
            found.append(Missing(name, benchmark, f"no runs of {activation_name(activation)}"))
            continue
        not_yet = unready(name, benchmark, [arms[activation,]], claim)
        found.append(not_yet or _decide(name, benchmark, Family(arms), activation))
    return found


def _decide(name: str, benchmark: str, family: Family[Arm], activation: str) -> Comparison:
    arm, printed = family.cells[activation,], paper().table1[benchmark][activation]
    tolerance = paper().tolerance[benchmark]
    mean = family.contrast({(activation,): 1.0})
    apart = Contrast(mean.estimate - printed, mean.standard_error, mean.freedom)
    level = level_of([arm])
    compared = Comparison(
        name=name,
        benchmark=benchmark,
        candidate=(arm,),
        reference=(),
        unit="points",
        interval=apart.interval(confidence_of(level)),
        threshold=math.copysign(tolerance, apart.estimate),  # the nearer of both
        level=level,
        note=f"the paper has {number(printed)} %",
        question=("equivalence", tolerance),
    )
    if not len(arm.sample):
        return replace(
            compared,
            note=f"could not be trained in this reading: all {arm.runs} runs of"
            f" {activation_name(activation)} diverged",
        )
    bounds = [apart.bound(side, 1 - compared.level) for side in ("low", "high")]
    within = -tolerance < bounds[0] and bounds[1] < tolerance
    above = apart.estimate > tolerance
    # a diverged run is worse than any mean: it bears no figure out, and speaks for no lower one
    below = apart.estimate < -tolerance and not arm.diverged
    p_value = apart.p_value(tolerance, "greater") if above else 1.0
    return replace(
        compared,
        supports=within and not arm.diverged,
        against_p=apart.p_value(-tolerance, "less") if below else p_value,
    )
