"""Claims that more seeds may still decide: their cells, room for seeds, and prospects."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy

from analysis.paper.claims import Claim
from analysis.paper.evidence import Arm, Evidence
from analysis.paper.rules import Comparison
from analysis.paper.rules.comparison import confidence_of
from analysis.paper.verdicts import DECIDED, judge_claim
from analysis.paper.words import Word
from analysis.statistics.looks import look_levels

BLOCK = 2
"""Seeds that each cell gets at a time: each block is a look, and a look costs some of the level."""
FUTILE = 0.05
"""The chance to be decided below which a claim gets no more seeds."""
PATHS = 2000
"""Simulated courses of a claim; a chance of 5 % then has a standard error of 0.5 %."""


@dataclass(frozen=True)
class Standing:
    """How a claim stands before the next block of seeds."""

    claim: Claim
    word: str
    """Its verdict so far."""
    reason: str
    """Why it gets no more seeds; empty where it does."""
    config_ids: tuple[str, ...] = ()
    """The configurations of its cells."""
    seeds: frozenset[int] = frozenset()
    """Seeds that it counts so far."""
    room: int = 0
    """Seeds that each cell may still get."""
    chance: float = math.nan
    """Probability that it is decided by its last seed, if the gap is the one seen so far."""
    expected_seeds: float = 0.0
    """Mean number of seeds that each cell still takes."""

    @property
    def next_seeds(self) -> tuple[int, ...]:
        """The seeds of the next block: the smallest that no cell of the claim counts yet."""
        unused = (seed for seed in itertools.count() if seed not in self.seeds)
        return tuple(itertools.islice(unused, min(BLOCK, self.room)))


def standing(claim: Claim, evidence: Evidence, max_seeds: int | None = None) -> Standing:
    """Return how a claim stands.

    Args:
        claim: with a rule.
        evidence: of one sweep.
        max_seeds: of a cell, where it is to be fewer than the claim's own.
    """
    verdict = judge_claim(claim, evidence)
    if verdict.word in DECIDED:
        return Standing(claim, verdict.word, f"{verdict.word}: it is decided")
    parts = [one for one in verdict.comparisons if not one.supports] or list(verdict.comparisons)
    if verdict.word != Word.NOT_DECIDED or not parts:
        return Standing(claim, verdict.word, verdict.reason)
    runs = evidence.meant_for(claim).runs
    own = runs[runs["run_id"].astype(str).isin(verdict.run_ids)]
    configs, seeds = tuple(own["config_id"].unique()), frozenset(own["seed"].astype(int))
    counted = max(arm.looks[-1][1] for one in parts for arm in _arms(one))
    most = min(claim.max_seeds, max_seeds or claim.max_seeds)
    room = most - counted
    if room <= 0:
        limit = "--max-seeds" if most < claim.max_seeds else "its max_seeds in claims.toml"
        reason = f"not decided with {counted} seeds, and {limit} allows {most}"
        return Standing(claim, verdict.word, reason, configs, seeds)
    courses = [_course(one, counted, claim.max_seeds, most) for one in parts]
    choose = max if claim.rule == "somewhere" else min
    chance, expected = choose(courses)
    hope = f"a chance of {100 * chance:.0f} % to be decided by {most} seeds"
    futile = hope if chance < FUTILE else ""
    return Standing(claim, verdict.word, futile, configs, seeds, room, chance, expected)


def _arms(one: Comparison) -> Sequence[Arm]:
    return (*one.candidate, *one.reference)


def _course(one: Comparison, counted: int, planned: int, most: int) -> tuple[float, float]:
    """Return the chance that a comparison is decided, and the mean number of seeds till then.

    The estimate less its threshold, over its standard error, goes on as a Brownian motion whose
    drift is the one seen so far (Lan and Wittes 1988, doi:10.2307/2531870).
    """
    half = (one.interval.high - one.interval.low) / 2
    if not (math.isfinite(half) and half > 0):
        return 1.0, float(most - counted)  # nothing is known of it yet
    # the interval is that of its look, of another confidence at each
    quantile = scipy.stats.norm.isf((1 - confidence_of(one.level)) / 2)
    z = (one.interval.estimate - one.threshold) / (half / quantile)
    looks = {number: n for arm in _arms(one) for number, n in arm.looks}
    before = tuple(sorted(n / planned for n in looks.values()))
    return _simulated(round(z, 6), before, counted, planned, most)


@lru_cache(maxsize=1024)
def _simulated(
    z: float, before: tuple[float, ...], counted: int, planned: int, most: int
) -> tuple[float, float]:
    coming = [*range(counted + BLOCK, most, BLOCK), most]
    fractions = [n / planned for n in coming]
    levels = look_levels((*before, *fractions))[len(before) :]
    now = counted / planned
    steps = np.diff([now, *fractions])
    noise = np.random.default_rng(0).normal(size=(PATHS, len(steps))) * np.sqrt(steps)
    sums = z * math.sqrt(now) + np.cumsum(z / math.sqrt(now) * steps + noise, axis=1)
    # one-sided, as a claim with a margin is decided
    bounds = scipy.stats.norm.isf(np.array(levels)) * np.sqrt(fractions)
    passed = np.abs(sums) > bounds
    decided = passed.any(axis=1)
    seeds = np.where(decided, np.array(coming)[passed.argmax(axis=1)], most) - counted
    return float(decided.mean()), float(seeds.mean())
