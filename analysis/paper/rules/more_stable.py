"""The rule on stability of a hypothesis: fewer runs of one side diverge."""

from __future__ import annotations

from dataclasses import replace

from analysis.paper.claims import Claim
from analysis.paper.evidence import Evidence
from analysis.paper.rules.comparison import (
    Finding,
    Missing,
    compared_rates,
    diverged_of,
    unready,
)
from analysis.paper.rules.pairs import pairs
from analysis.statistics.proportions import boschloo


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
        counts, runs = (failed, others), (of, others_of)
        said = "{} runs diverged, {} of the others"
        compared = compared_rates(pair.name, benchmark, pair.candidate, pair.reference, said)
        refutes = failed / of > others / others_of
        found.append(
            replace(
                compared,
                supports=boschloo(counts, runs, "less") < compared.level,
                against_p=boschloo(counts, runs, "greater") if refutes else 1.0,
            )
        )
    return found
