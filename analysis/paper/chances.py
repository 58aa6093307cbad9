"""The chance that a design decides a whole claim, with all of its comparisons, by simulation.

Comparisons share arms, so that their chances cannot be multiplied. The truth of a simulated world
is the paper's own figure for each arm where it prints one; otherwise that nothing gains, or that
one thing gains as much as the question asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Arm
from analysis.paper.rules import Comparison
from analysis.statistics.intervals import Floats
from analysis.statistics.looks import look_levels

WORLDS = 4000
"""A chance of 80 % has a standard error of 0.6 %."""

MOST_RUNS = 5000
"""More runs of a cell are not asked for."""


@dataclass(frozen=True)
class Chance:
    """The chance that a design decides a whole claim, and the runs for a better one."""

    power: float
    """The probability that the claim is supported if it is true."""
    runs_needed: int | None
    """Runs of each cell for the wanted power; None beyond 5,000."""


@dataclass(frozen=True)
class _World:
    """Means and variances of each arm (worlds, arms), in units of the deviation of one run."""

    mean: Floats
    variance: Floats
    runs: Floats


def chance(
    claim: Claim, parts: Sequence[Comparison], deviation: float, wanted: float = 0.8
) -> Chance | None:
    """Return the chance of the claim with these runs of its arms, and the runs for another.

    Args:
        claim: judged by differences of means.
        parts: all of its comparisons, of arms without a diverged run.
        deviation: between runs of one arm, in the unit of the comparisons.
        wanted: the chance that the runs needed have.

    Returns:
        None for a claim of another kind, or one whose gap is not stated.
    """
    stated = [part.question for part in parts]
    if not parts or not deviation > 0 or claim.rule not in _RULES or None in stated:
        return None
    design = _Design.of(claim, parts, deviation)
    if design is None:
        return None
    power = design.power(design.runs)
    enough = max(2, claim.minimum_runs)
    while design.power(np.full(len(design.runs), enough)) < wanted:
        enough *= 2
        if enough > MOST_RUNS:
            return Chance(power, None)
    few = max(enough // 2, claim.minimum_runs - 1)
    while enough - few > 1:
        middle = (few + enough) // 2
        if design.power(np.full(len(design.runs), middle)) >= wanted:
            enough = middle
        else:
            few = middle
    return Chance(power, enough)


_RULES = ("better", "no_gain", "best_choice", "somewhere", "reported")


@dataclass(frozen=True)
class _Part:
    """A weighted sum of means, and what has to be shown of it."""

    weights: Floats
    """Of each arm's mean in the sum, in runs' units: (arms,)."""
    against: float
    """The value that the sum is held against."""
    side: str
    """above, below, or within plus and minus that value."""


@dataclass(frozen=True)
class _Design:
    """A claim's arms and comparisons as arrays, in units of the deviation of one run."""

    parts: tuple[_Part, ...]
    means: Floats
    runs: Floats
    max_runs: int
    any_part: bool

    @classmethod
    def of(cls, claim: Claim, parts: Sequence[Comparison], deviation: float) -> _Design | None:
        """Return the design of a claim's comparisons; None where a truth is not stated."""
        arms = {arm.run_ids: arm for one in parts for arm in (*one.candidate, *one.reference)}
        places = {run_ids: place for place, run_ids in enumerate(arms)}
        means = _truth(claim, parts, list(arms.values()))
        if means is None:
            return None
        made = []
        for one in parts:
            weights = np.zeros(len(arms))
            for arm in one.reference:
                weights[places[arm.run_ids]] += 1 / len(one.reference)
            for arm in one.candidate:
                sign = -1 if one.reference else 1
                weights[places[arm.run_ids]] += sign / len(one.candidate)
            test = one.question[0] if one.question else "difference"
            side = {"difference": "above", "no_gain": "below", "equivalence": "within"}[test]
            made.append(_Part(weights, one.threshold / deviation, side))
        runs = np.array([arm.runs for arm in arms.values()], dtype=float)
        most = max(arm.max_seeds for arm in arms.values())
        return cls(tuple(made), means / deviation, runs, most, claim.rule == "somewhere")

    def power(self, runs: Floats) -> float:
        """Return the share of worlds in which the claim is supported, with so many runs an arm."""
        if runs.min() < 2:
            return 0.0
        rng = np.random.default_rng(0)
        shape = WORLDS, len(runs)
        mean = self.means + rng.normal(size=shape) / np.sqrt(runs)
        variance = rng.chisquare(runs - 1, size=shape) / (runs - 1)
        share = min(1.0, float(runs.min()) / self.max_runs) if self.max_runs else 1.0
        level = look_levels((share,), paper().level["planned"])[-1]
        worlds = _World(mean, variance, runs)
        if self.any_part:  # after Holm's correction the clearest of them needs the strictest level
            held = [_holds(part, worlds, level / len(self.parts)) for part in self.parts]
            return float(np.any(held, axis=0).mean())
        return float(np.all([_holds(part, worlds, level) for part in self.parts], axis=0).mean())


def _holds(part: _Part, worlds: _World, level: float) -> Floats:
    """Return (worlds,) True where the part is shown at the level, by Student's t."""
    used = part.weights != 0
    weights, runs = part.weights[used], worlds.runs[used]
    estimate = worlds.mean[:, used] @ weights
    freedom = float(np.sum(runs - 1))
    pooled = worlds.variance[:, used] @ (runs - 1) / freedom
    error = np.sqrt(pooled * np.sum(weights**2 / runs))
    two_sided = part.side == "above"
    half = scipy.special.stdtrit(freedom, 1 - level / (2 if two_sided else 1)) * error
    if part.side == "above":
        return np.asarray(estimate - half > part.against)
    if part.side == "below":
        return np.asarray(estimate + half < part.against)
    return np.asarray(np.abs(estimate) + half < part.against)


def _truth(claim: Claim, parts: Sequence[Comparison], arms: Sequence[Arm]) -> Floats | None:
    """Return the mean of each arm (arms,) in a world where the claim is true; None: not stated."""
    if claim.rule == "reported":
        return np.zeros(len(arms))  # the comparison is with the paper's figure itself
    if claim.arms is not None:
        printed = paper().table1.get(claim.benchmark, {})
        if claim.at != "last" or any(arm.name not in printed for arm in arms):
            return None
        return np.array([printed[arm.name] for arm in arms])
    means = np.zeros(len(arms))
    margin = paper().margin[claim.benchmark] if claim.margin is None else claim.margin
    if claim.rule == "somewhere":
        # a gain of twice the margin is as far beyond it as none is below
        gaining = {arm.run_ids for arm in parts[-1].candidate}
        shared = {arm.run_ids for one in parts[:-1] for arm in one.candidate}
        losing = {arm.run_ids for arm in parts[-1].reference}
        moved, by = (losing, 2 * margin) if gaining & shared else (gaining, -2 * margin)
        means[[arm.run_ids in moved for arm in arms]] = by
    # a cell that is better than a cheaper one is so by what matters
    for one in parts:
        if one.question and one.question[0] == "difference" and claim.rule == "best_choice":
            cheaper = {arm.run_ids for arm in one.reference}
            means[[arm.run_ids in cheaper for arm in arms]] = margin
    return means
