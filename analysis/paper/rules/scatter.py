"""The rule about inconsistent training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from analysis.paper.claims import Claim
from analysis.paper.evidence import Arm, Evidence
from analysis.paper.rules.comparison import (
    Comparison,
    Finding,
    Missing,
    diverged_of,
    level_of,
    unready,
)
from analysis.statistics.deviations import deviation_ratio, scatter_p, variance_rank_p
from analysis.statistics.intervals import UNKNOWN, Floats
from analysis.statistics.proportions import boschloo

NAME = "both penalties at 0 against all others"


def scatter(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if runs without penalties scatter more than all others, or diverge more often.

    They scatter more if Brown and Forsythe's test finds the ratio of deviations above the margin,
    and the rank of the cell's variance among all others' agrees, if there are enough cells for a
    rank to reach 5 %. Neither needs normal errors; the interval of the ratio, from F, does, and
    decides nothing. Scatter and divergence each have half of 5 %. Against the claim stands a ratio
    that the same test finds below the margin.
    """
    arms = evidence.arms(claim, benchmark, ["lambda_sum", "lambda_prod"])
    if not arms:
        return []
    bare = arms.get((0.0, 0.0))
    others = tuple(arm for key, arm in arms.items() if key != (0.0, 0.0))
    if bare is None or not others:
        return [Missing(NAME, benchmark, "needs runs with both penalties at 0, and with either")]
    more = replace(claim, minimum_runs=max(claim.minimum_runs, claim.minimum_candidate_runs))
    not_yet = unready(NAME, benchmark, [bare], more) or unready(NAME, benchmark, others, claim)
    if not_yet:
        return [not_yet]
    by_divergence = _by_divergence(benchmark, bare, others)
    samples = [arm.sample for arm in others if len(arm.sample) > 1]
    if len(bare.sample) > 2 and math.isfinite(deviation_ratio(bare.sample, samples).low):
        return [_by_scatter(by_divergence, bare.sample, samples, claim.margin or 1.0)]
    return [by_divergence]


def _by_divergence(benchmark: str, bare: Arm, others: tuple[Arm, ...]) -> Comparison:
    (failed, of), (others_failed, others_of) = diverged_of([bare]), diverged_of(others)
    level = level_of([bare, *others])
    return Comparison(
        name=NAME,
        benchmark=benchmark,
        candidate=(bare,),
        reference=others,
        unit="ratio",
        interval=UNKNOWN,
        threshold=1.0,
        supports=boschloo((failed, others_failed), (of, others_of), "greater") < level / 2,
        level=level,
        note=f"{failed} of {of} runs diverged, {others_failed} of {others_of} of the others",
    )


def _by_scatter(
    by_divergence: Comparison, own: Floats, samples: Sequence[Floats], margin: float
) -> Comparison:
    """Return the comparison with the ratio of the cell's own deviation to that of all samples."""
    ratio = deviation_ratio(own, samples, by_divergence.confidence)
    level = by_divergence.level
    p_value = scatter_p(own, samples, margin)
    rank, cells = variance_rank_p(own, samples), len(samples) + 1
    ranks_agree = rank <= level or 1 / cells > level
    (failed, of), (others_failed, others_of) = map(
        diverged_of, (by_divergence.candidate, by_divergence.reference)
    )
    # a smaller scatter of the runs that ended refutes nothing if the others diverged
    refutable = failed / of <= others_failed / others_of
    return replace(
        by_divergence,
        interval=ratio,
        threshold=margin,
        supports=(p_value < level / 2 and ranks_agree) or by_divergence.supports,
        against_p=1 - p_value if refutable else 1.0,
        note=(
            f"the variance without penalties ranks {round(rank * cells)} of {cells}; "
            f"{by_divergence.note}"
        ),
    )
