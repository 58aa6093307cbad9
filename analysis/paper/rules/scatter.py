"""The rule about inconsistent training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

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
from analysis.statistics.deviations import brown_forsythe, deviation_ratio, variance_rank_p
from analysis.statistics.intervals import UNKNOWN, Floats
from analysis.statistics.proportions import boschloo

NAME = "both penalties at 0 against all others"


def scatter(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if runs without penalties scatter more than all others, or diverge more often.

    They scatter more if the F interval of the ratio of deviations lies above 1 and two tests that
    need no normal errors agree: Brown and Forsythe's, and the rank of the cell's variance among
    all others' if there are enough cells for a rank to reach 5 %. Scatter and divergence each have
    half of 5 %. Against the claim stands a ratio whose one-sided upper bound is below the margin.
    """
    arms = evidence.arms(claim, benchmark, ["lambda_sum", "lambda_prod"])
    if not arms:
        return []
    bare = arms.get((0.0, 0.0))
    others = tuple(arm for key, arm in arms.items() if key != (0.0, 0.0))
    if bare is None or not others:
        return [Missing(NAME, benchmark, "needs runs with both penalties at 0, and with either")]
    not_yet = unready(NAME, benchmark, [bare, *others], claim)
    if not_yet:
        return [not_yet]
    samples = [arm.sample for arm in others if len(arm.sample) > 1]
    if len(bare.sample) < 3 or not samples:
        return [_by_divergence_alone(benchmark, bare, others)]
    return [_decide(claim, benchmark, bare, others, samples)]


def _decide(
    claim: Claim,
    benchmark: str,
    bare: Arm,
    others: tuple[Arm, ...],
    samples: Sequence[Floats],
) -> Comparison:
    own = bare.sample
    ratio = deviation_ratio(own, samples)
    level = level_of([bare, *others])
    beyond = deviation_ratio(own, samples, 1 - level / 2).low > 1
    rank = variance_rank_p(own, samples)
    cells = len(samples) + 1
    ranks_agree = rank <= level or 1 / cells > level
    centred = np.concatenate([sample - np.median(sample) for sample in samples])
    apart = brown_forsythe([own - np.median(own), centred]) < level / 2
    (failed, of), (others_failed, others_of) = diverged_of([bare]), diverged_of(others)
    more_often = boschloo((failed, others_failed), (of, others_of), "greater") < level / 2
    freedom = sum(len(sample) - 1 for sample in samples)
    f = scipy.stats.f(len(own) - 1, freedom)
    against = float(f.cdf((ratio.estimate / (claim.margin or 1.0)) ** 2))
    seldom = failed / of <= others_failed / others_of
    return Comparison(
        name=NAME,
        benchmark=benchmark,
        candidate=(bare,),
        reference=others,
        unit="ratio",
        interval=ratio,
        threshold=1.0,
        supports=(beyond and apart and ranks_agree) or more_often,
        against_p=against if seldom else 1.0,
        level=level,
        note=(
            f"the variance without penalties ranks {round(rank * cells)} of {cells}; "
            f"{failed} of {of} runs diverged, {others_failed} of {others_of} of the others"
        ),
    )


def _by_divergence_alone(benchmark: str, bare: Arm, others: tuple[Arm, ...]) -> Finding:
    """Decide where too few runs without penalties ended for a deviation."""
    (failed, of), (others_failed, others_of) = diverged_of([bare]), diverged_of(others)
    p = boschloo((failed, others_failed), (of, others_of), "greater")
    level = level_of([bare, *others])
    if p >= level / 2:
        return Missing(NAME, benchmark, "too few runs ended to compare deviations")
    return Comparison(
        name=NAME,
        benchmark=benchmark,
        candidate=(bare,),
        reference=others,
        unit="ratio",
        interval=UNKNOWN,
        threshold=1.0,
        supports=True,
        level=level,
        note=f"{failed} of {of} runs diverged, {others_failed} of {others_of} of the others",
    )
