"""What one comparison of a claim comes to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.paper.claims import Claim
from analysis.paper.evidence import Arm
from analysis.statistics.intervals import Interval
from analysis.statistics.power import Test, detectable_gap, seeds_needed


@dataclass(frozen=True)
class Part:
    """One comparison, decided."""

    name: str
    benchmark: str
    unit: str
    """points, ratio, rate, or empty for a number of its own."""
    interval: Interval
    """Two-sided, 95 %."""
    threshold: float
    """What the interval is held against."""
    supports: bool
    """Whether this part, taken alone, bears the claim out at `level`."""
    support_p: float
    """p value of the part's opposite, for claims that need only one part of several."""
    against_p: float
    """p value of the part, where something speaks for its opposite; else 1."""
    runs: tuple[int, int]
    """Measured runs of the candidate and of the reference."""
    diverged: tuple[int, int]
    censored: int
    run_ids: tuple[str, ...]
    note: str = ""
    level: float = 0.05
    """Of its tests."""
    deviation: float = math.nan
    """Between runs of one cell; NaN where the part is not about a difference of means."""
    question: tuple[Test, float] | None = None
    """The test and the gap or margin that more runs would be meant for."""
    blocks: int = 1

    @property
    def seeds_needed(self) -> int | None:
        """Runs of each cell for 80 % power; None where that is not known."""
        if self.question is None or not self.deviation > 0:
            return None
        needed = seeds_needed(*self.question, self.deviation)
        return math.ceil(needed / self.blocks) if needed else None

    @property
    def detectable(self) -> float:
        """The gap that as many runs find with 80 % power."""
        return detectable_gap("difference", self.deviation, min(self.runs))


@dataclass(frozen=True)
class Missing:
    """A comparison that the claim needs and that cannot be made."""

    name: str
    benchmark: str
    reason: str


Outcome = Part | Missing


def level_of(*sides: Sequence[Arm]) -> float:
    """Return the level of a test of these arms: the strictest of theirs."""
    return min((arm.level for side in sides for arm in side), default=0.05)


def unready(name: str, benchmark: str, arms: Sequence[Arm], claim: Claim) -> Missing | None:
    """Return what keeps some arms from being judged, if anything does."""
    for arm in arms:
        if arm.lacking:
            return Missing(name, benchmark, f"{arm.name}: {arm.lacking}")
        if arm.runs < claim.minimum_runs:
            reason = f"{arm.name}: {arm.runs} runs, and it takes {claim.minimum_runs}"
            return Missing(name, benchmark, reason)
    return None


def counts(
    candidate: Sequence[Arm], reference: Sequence[Arm]
) -> tuple[tuple[int, int], tuple[int, int], int, tuple[str, ...]]:
    """Return `runs`, `diverged`, `censored` and `run_ids` of a part about these arms."""
    sides = (candidate, reference)
    measured = [sum(len(arm.cell.sample) for arm in side) for side in sides]
    diverged = [sum(arm.cell.diverged for arm in side) for side in sides]
    cells = [arm.cell for arm in (*candidate, *reference)]
    ids = sorted({run_id for cell in cells for run_id in cell.run_ids})
    return (
        (measured[0], measured[1]),
        (diverged[0], diverged[1]),
        sum(cell.censored for cell in cells),
        tuple(ids),
    )
