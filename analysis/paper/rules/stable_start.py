"""The rules about random and ReLU-like starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import scipy

from analysis.paper.claims import Claim
from analysis.paper.evidence import Evidence
from analysis.paper.rules.comparison import (
    Comparison,
    Finding,
    Missing,
    compared_rates,
    unready,
)
from analysis.printed import activation_name
from analysis.statistics.proportions import boschloo, failure_rate


def unstable_start(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if random starts diverge often: the rate's one-sided 95 % lower bound clears the margin.

    Against the claim stands a rate below the margin.
    """
    return _each_activation(claim, evidence, benchmark, _unstable)


def stable_start(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if ReLU-like starts diverge seldom, and less often than random ones.

    Seldom: the one-sided 95 % upper bound of the rate is below the margin. Against the claim
    stands a rate above the margin.
    """
    return _each_activation(claim, evidence, benchmark, _stable)


def _each_activation(
    claim: Claim,
    evidence: Evidence,
    benchmark: str,
    decide: Callable[[Comparison, Claim], Comparison],
) -> list[Finding]:
    arms = evidence.arms(claim, benchmark, ["activation", "init", "epochs_planned"])
    found: list[Finding] = []
    for activation in claim.activations if arms else ():
        # a longer run has more time to diverge: Table 1's runs do not compare with three epochs
        epochs = next((key[2] for key in arms if key[:2] == (activation, "random")), None)
        random, relu_like = (
            arms.get((activation, init, epochs)) for init in ("random", "relu_like")
        )
        name = f"{activation_name(activation)}, random against ReLU-like"
        if random is None or relu_like is None:
            reason = f"needs {activation_name(activation)} from both starts"
            found.append(Missing(name, benchmark, reason))
            continue
        if not_yet := unready(name, benchmark, [random, relu_like], claim):
            found.append(not_yet)
            continue
        said = "{} random and {} ReLU-like runs diverged"
        compared = compared_rates(name, benchmark, (random,), (relu_like,), said)
        found.append(decide(compared, claim))
    return found


def _unstable(one: Comparison, claim: Claim) -> Comparison:
    (random,), margin = one.candidate, float(claim.margin or 0.0)
    # a one-sided 95 % bound is an end of the 90 % interval
    often = failure_rate(random.diverged, random.runs, 1 - 2 * one.level).low > margin
    calm = scipy.special.bdtr(random.diverged, random.runs, margin)
    return replace(one, supports=often, against_p=float(calm))


def _stable(one: Comparison, claim: Claim) -> Comparison:
    (random,), (relu_like,) = one.candidate, one.reference
    margin = float(claim.margin or 0.0)
    counts = (random.diverged, relu_like.diverged), (random.runs, relu_like.runs)
    seldom = failure_rate(relu_like.diverged, relu_like.runs, 1 - 2 * one.level).high < margin
    often = scipy.special.bdtrc(relu_like.diverged - 1, relu_like.runs, margin)
    apart = boschloo(*counts, "greater") < one.level
    return replace(one, supports=seldom and apart, against_p=float(often))
