"""The rule on stability of a hypothesis: fewer runs of one side diverge."""

from __future__ import annotations

from dataclasses import replace

from analysis.paper.claims import Claim
from analysis.paper.evidence import Evidence
from analysis.paper.rules.comparison import (
    Comparison,
    Finding,
    Missing,
    confidence_of,
    diverged_of,
    level_of,
    unready,
)
from analysis.paper.rules.pairs import pairs
from analysis.statistics.proportions import boschloo, rate_difference


def more_stable(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if Boschloo's exact test finds that a smaller share of the candidate's runs diverges.

    Against the claim stands that a larger share does.
    """
    found: list[Finding] = []
    for pair in pairs(claim, evidence, benchmark):
        if isinstance(pair, Missing):
            found.append(pair)
            continue
        not_yet = unready(pair.name, benchmark, (*pair.candidate, *pair.reference), claim)
        if not_yet:
            found.append(not_yet)
            continue
        (failed, of), (others, others_of) = diverged_of(pair.candidate), diverged_of(pair.reference)
        level = level_of(pair.candidate, pair.reference)
        counts, runs = (failed, others), (of, others_of)
        compared = Comparison(
            name=pair.name,
            benchmark=benchmark,
            candidate=pair.candidate,
            reference=pair.reference,
            unit="rate",
            interval=rate_difference(counts, runs, confidence_of(level)),
            level=level,
            note=f"{failed} of {of} runs diverged, {others} of {others_of} of the others",
        )
        refutes = failed / of > others / others_of
        found.append(
            replace(
                compared,
                supports=boschloo(counts, runs, "less") < level,
                against_p=boschloo(counts, runs, "greater") if refutes else 1.0,
            )
        )
    return found
