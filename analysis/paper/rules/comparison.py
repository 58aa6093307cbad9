"""One comparison of a claim: decided, or missing for a reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Arm
from analysis.statistics.intervals import Interval
from analysis.statistics.looks import information, look_levels
from analysis.statistics.power import Test, detectable_gap, seeds_needed
from analysis.statistics.proportions import rate_difference


@dataclass(frozen=True)
class Comparison:
    """A candidate held against a reference or a margin, decided."""

    name: str
    benchmark: str
    candidate: tuple[Arm, ...]
    reference: tuple[Arm, ...]
    """Empty where a mean is held against a margin."""
    unit: str
    """points, ratio, rate, or empty for a number of its own."""
    interval: Interval
    """Two-sided, repeated: as sure as `confidence`, which the level of its look allows."""
    threshold: float = 0.0
    """The value that the interval is held against."""
    supports: bool = False
    """True if this comparison, taken alone, bears the claim out at `level`."""
    support_p: float = 1.0
    """Of a test for the claim, for claims that need one comparison of several; else 1."""
    against_p: float = 1.0
    """Of a test against the claim; 1 unless the estimate speaks against it."""
    level: float = 0.05
    """Of its tests."""
    note: str = ""
    deviation: float = math.nan
    """Between runs of one cell; NaN if the comparison is not about a difference of means."""
    question: tuple[Test, float] | None = None
    """The test, and the gap or margin, that more runs would be meant for."""

    @property
    def runs(self) -> tuple[int, int]:
        """Runs of the candidate and of the reference: measured ones; of a rate all that ended."""
        rate = self.unit == "rate"
        candidate, reference = (
            sum(len(arm.sample) + arm.diverged * rate for arm in side)
            for side in (self.candidate, self.reference)
        )
        return candidate, reference

    @property
    def diverged(self) -> tuple[int, int]:
        """Diverged runs of the candidate and of the reference."""
        candidate, reference = (
            sum(arm.diverged for arm in side) for side in (self.candidate, self.reference)
        )
        return candidate, reference

    @property
    def censored(self) -> int:
        """Censored runs of both sides."""
        return sum(arm.censored for arm in (*self.candidate, *self.reference))

    @property
    def run_ids(self) -> tuple[str, ...]:
        """All runs of both sides, whatever became of them."""
        sides = (*self.candidate, *self.reference)
        return tuple(sorted({run_id for arm in sides for run_id in arm.run_ids}))

    @property
    def seeds_needed(self) -> int | None:
        """Runs of each cell for 80 % power; None if that is not known."""
        if self.question is None or not self.deviation > 0:
            return None
        needed = seeds_needed(*self.question, self.deviation, alpha=1 - self.confidence)
        # the power is that of two arms; each arm's runs are spread over its cells
        return math.ceil(needed / len(self.candidate)) if needed else None

    @property
    def detectable(self) -> float:
        """The gap that these runs find with 80 % power."""
        alpha = 1 - self.confidence
        return detectable_gap("difference", self.deviation, min(self.runs), alpha=alpha)

    @property
    def confidence(self) -> float:
        """Of the interval, and of what `seeds_needed` and `detectable` ask for."""
        return confidence_of(self.level)


@dataclass(frozen=True)
class Missing:
    """A comparison that the claim needs and that cannot be made."""

    name: str
    benchmark: str
    reason: str


Finding = Comparison | Missing


def confidence_of(level: float) -> float:
    """Return the confidence of the interval beside a test: the repeated interval of its look.

    Jennison and Turnbull (1989, doi:10.1111/j.2517-6161.1989.tb01433.x): the intervals of all looks
    hold the truth together as often as one of 95 %. Where no level is left to spend, the interval
    is that of a single look, and nothing is decided.
    """
    return 1 - (level or paper().level["planned"])


def level_of(*sides: Sequence[Arm]) -> float:
    """Return the level of a test of these arms at the last of their looks.

    What all looks together may decide wrongly is spent on the information that each of them has.
    """
    arms = [arm for side in sides for arm in side]
    planned = min((arm.level for arm in arms), default=paper().level["planned"])
    seen = _fractions(tuple((arm.looks, arm.max_seeds or arm.runs) for arm in arms))
    return look_levels(seen, planned)[-1] if seen else planned


@lru_cache(maxsize=4096)  # the comparisons of a claim share their looks
def _fractions(arms: tuple[tuple[tuple[tuple[int, int], ...], int], ...]) -> tuple[float, ...]:
    """Return the shares of the planned information at each look with any, rising.

    Args:
        arms: the looks of each, and its largest number of runs.
    """
    numbers = sorted({number for looks, _ in arms for number, _ in looks})
    whole = information([most for _, most in arms])
    found = []
    for number in numbers:
        runs = [max((n for at, n in looks if at <= number), default=0) for looks, _ in arms]
        found.append(information(runs) / whole if whole else 1.0)
    return tuple(one for one in found if one > 0)


def unready(name: str, benchmark: str, arms: Sequence[Arm], claim: Claim) -> Missing | None:
    """Return the reason why some arm may not be judged yet, or None."""
    for arm in arms:
        if arm.lacking:
            return Missing(name, benchmark, f"{arm.name}: {arm.lacking}")
        if arm.runs < claim.minimum_runs:
            reason = f"{arm.name}: {arm.runs} runs, and it takes {claim.minimum_runs}"
            return Missing(name, benchmark, reason)
    return None


def compared_rates(
    name: str, benchmark: str, candidate: tuple[Arm, ...], reference: tuple[Arm, ...], note: str
) -> Comparison:
    """Hold the rate of diverged runs of a candidate against that of a reference.

    Args:
        name: of the comparison.
        benchmark: of both.
        candidate: one side.
        reference: the other.
        note: says how many runs diverged, with a {} for the count of each side.
    """
    (failed, of), (others, others_of) = diverged_of(candidate), diverged_of(reference)
    level = level_of(candidate, reference)
    return Comparison(
        name=name,
        benchmark=benchmark,
        candidate=candidate,
        reference=reference,
        unit="rate",
        interval=rate_difference((failed, others), (of, others_of), confidence_of(level)),
        level=level,
        note=note.format(f"{failed} of {of}", f"{others} of {others_of}"),
    )


def diverged_of(arms: Sequence[Arm]) -> tuple[int, int]:
    """Return the diverged runs of some arms, and all their runs with a result."""
    return sum(arm.diverged for arm in arms), sum(arm.runs for arm in arms)
