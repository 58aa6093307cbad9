"""The rule about inconsistent training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

from analysis.paper.claims import Claim
from analysis.paper.evidence import Arm, Evidence
from analysis.paper.rules.part import Missing, Outcome, Part, counts, level_of, unready
from analysis.statistics.deviations import brown_forsythe, deviation_ratio, variance_rank_p
from analysis.statistics.proportions import boschloo


def scatter(claim: Claim, evidence: Evidence, benchmark: str) -> list[Outcome]:
    """Hold where runs without penalties scatter more than all others, or diverge more often.

    More: the F interval of the ratio of deviations lies above 1, and two tests that need no normal
    errors agree: Brown and Forsythe's, and the rank of the cell's variance among all others' where
    there are so many that a rank can reach 5 %. Scatter and divergence each have half of 5 %.
    Against it stands a ratio whose one-sided upper bound is below the margin.
    """
    arms = evidence.arms(claim, benchmark, ["lambda_sum", "lambda_prod"])
    if not arms:
        return []
    name = "both penalties at 0 against all others"
    bare = arms.get((0.0, 0.0))
    others = [arm for key, arm in arms.items() if key != (0.0, 0.0)]
    if bare is None or not others:
        return [Missing(name, benchmark, "needs runs with both penalties at 0, and with either")]
    not_yet = unready(name, benchmark, [bare, *others], claim)
    if not_yet:
        return [not_yet]
    samples = [arm.cell.sample for arm in others if len(arm.cell.sample) > 1]
    if len(bare.cell.sample) < 3 or not samples:
        return [_by_failures_alone(name, benchmark, bare, others)]
    return [_decide(claim, name, benchmark, bare, others, samples)]


def _decide(
    claim: Claim,
    name: str,
    benchmark: str,
    bare: Arm,
    others: Sequence[Arm],
    samples: Sequence[np.ndarray],
) -> Part:
    own = bare.cell.sample
    ratio = deviation_ratio(own, samples)
    level = level_of([bare, *others])
    beyond = deviation_ratio(own, samples, 1 - level / 2).low > 1
    rank = variance_rank_p(own, samples)
    ranks_agree = rank <= level or 1 / (len(samples) + 1) > level
    centred = np.concatenate([sample - np.median(sample) for sample in samples])
    apart = brown_forsythe([own - np.median(own), centred]) < level / 2
    failed, of, others_failed, others_of = _failures(bare, others)
    more_often = boschloo((failed, others_failed), (of, others_of), "greater") < level / 2
    freedom = sum(len(sample) - 1 for sample in samples)
    f = scipy.stats.f(len(own) - 1, freedom)
    against = float(f.cdf((ratio.estimate / (claim.margin or 1.0)) ** 2))
    seldom = failed / of <= others_failed / others_of
    runs, diverged, censored, ids = counts([bare], others)
    return Part(
        name=name,
        benchmark=benchmark,
        unit="ratio",
        interval=ratio,
        threshold=1.0,
        supports=(beyond and apart and ranks_agree) or more_often,
        support_p=1.0,
        against_p=against if seldom else 1.0,
        runs=runs,
        diverged=diverged,
        censored=censored,
        run_ids=ids,
        level=level,
        note=(
            f"its variance ranks {round(rank * (len(samples) + 1))} of {len(samples) + 1}; "
            f"{failed} of {of} runs diverged, {others_failed} of {others_of} of the others"
        ),
    )


def _by_failures_alone(name: str, benchmark: str, bare: Arm, others: Sequence[Arm]) -> Outcome:
    """Decide where hardly a run without penalties ended."""
    failed, of, others_failed, others_of = _failures(bare, others)
    p = boschloo((failed, others_failed), (of, others_of), "greater")
    level = level_of([bare, *others])
    if p >= level / 2:
        return Missing(name, benchmark, "too few runs ended to compare deviations")
    runs, diverged, censored, ids = counts([bare], others)
    return Part(
        name=name,
        benchmark=benchmark,
        unit="ratio",
        interval=deviation_ratio([], []),
        threshold=1.0,
        supports=True,
        support_p=1.0,
        against_p=1.0,
        runs=runs,
        diverged=diverged,
        censored=censored,
        run_ids=ids,
        level=level,
        note=f"{failed} of {of} runs diverged, {others_failed} of {others_of} of the others",
    )


def _failures(bare: Arm, others: Sequence[Arm]) -> tuple[int, int, int, int]:
    return (
        bare.cell.diverged,
        bare.runs,
        sum(arm.cell.diverged for arm in others),
        sum(arm.runs for arm in others),
    )
