"""The rule about random and ReLU-like starts."""

from __future__ import annotations

import scipy

from analysis.paper.claims import Claim
from analysis.paper.evidence import Arm, Evidence
from analysis.paper.rules.comparison import Comparison, Finding, Missing, level_of, unready
from analysis.printed import activation_name
from analysis.statistics.proportions import boschloo, failure_rate, rate_difference


def stable_start(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Hold if random starts diverge often, and ReLU-like starts seldom and less often.

    Seldom: the one-sided 95 % upper bound of the rate is below the margin; often: the lower bound
    is above it. Against the claim stands a rate of ReLU-like starts above the margin, or a rate of
    random starts below it.
    """
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
        not_yet = unready(name, benchmark, [random, relu_like], claim)
        found.append(not_yet or _decide(claim, name, benchmark, random, relu_like))
    return found


def _decide(claim: Claim, name: str, benchmark: str, random: Arm, relu_like: Arm) -> Comparison:
    margin = float(claim.margin or 0.0)
    diverged, of = (random.diverged, relu_like.diverged), (random.runs, relu_like.runs)
    level = level_of([random, relu_like])
    apart = boschloo(diverged, of, "greater") < level
    # a one-sided 95 % bound is an end of the 90 % interval
    seldom = failure_rate(diverged[1], of[1], 1 - 2 * level).high < margin
    unstable = failure_rate(diverged[0], of[0], 1 - 2 * level).low > margin
    often = scipy.stats.binomtest(diverged[1], of[1], margin, "greater").pvalue
    calm = scipy.stats.binomtest(diverged[0], of[0], margin, "less").pvalue
    shares = [f"{n} of {total}" for n, total in zip(diverged, of, strict=True)]
    return Comparison(
        name=name,
        benchmark=benchmark,
        candidate=(random,),
        reference=(relu_like,),
        unit="rate",
        interval=rate_difference(diverged, of),
        supports=apart and seldom and unstable,
        against_p=float(min(1.0, 2 * min(often, calm))),  # Bonferroni: either rate refutes
        level=level,
        note=f"{shares[0]} random and {shares[1]} ReLU-like runs diverged",
    )
