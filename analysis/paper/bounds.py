"""Evidence as it might be: runs without a value at the bounds of what is likely, other levels.

Could runs without a value turn a verdict, and down to which level would it still be given?
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from analysis.measures.cells import Key
from analysis.measures.values import At
from analysis.paper.claims import Claim
from analysis.paper.evidence import Arm, Evidence
from analysis.paper.rules import Comparison

Fill = Literal["low", "high", "half", "diverged"]

BY_DIVERGENCE = ("stable_start", "unstable_start", "even_order", "scatter", "more_stable")
"""Rules on which a diverged run bears: a run without a value may have diverged."""

Runs = tuple[str, ...]
"""The ids of an arm's runs, by which a fill names it."""


class _Changed(Evidence):
    """Evidence whose arms are others than those of the evidence it stands on."""

    def __init__(self, whole: Evidence) -> None:
        self._whole = whole

    def machines(self, claim: Claim, benchmark: str) -> set[str]:
        """Name the devices of the claim's runs, each with its host."""
        return self._whole.machines(claim, benchmark)

    def loaded(self, claim: Claim, benchmark: str) -> int:
        """Count the claim's timed trials beside which other processes were too busy."""
        return self._whole.loaded(claim, benchmark)


class Filled(_Changed):
    """Evidence in which the runs without a value have one."""

    def __init__(self, whole: Evidence, fill: Callable[[Runs], Fill]) -> None:
        """Take the evidence, and how to fill the arm of some runs."""
        super().__init__(whole)
        self._fill = fill

    def arms(
        self,
        claim: Claim,
        benchmark: str,
        columns: Sequence[str],
        metric: str = "val_error_percent",
        at: At | None = None,
    ) -> dict[Key, Arm]:
        """Return the claim's cells, with the runs that have no value at a bound."""
        arms = self._whole.arms(claim, benchmark, columns, metric, at)
        if not any(len(arm.sample) for arm in arms.values()):
            return arms
        ends = self._whole.extent(claim, benchmark, metric, at)
        return {key: _filled(arm, self._fill(arm.run_ids), ends) for key, arm in arms.items()}


class AtLevel(_Changed):
    """Evidence that is judged at another level of all looks together."""

    def __init__(self, whole: Evidence) -> None:
        """Take the evidence."""
        super().__init__(whole)
        self._level = 0.0
        self._made: dict[object, dict[Key, Arm]] = {}

    def at(self, level: float) -> AtLevel:
        """Return the evidence at a level."""
        other = copy.copy(self)
        other._level = level
        return other

    def arms(
        self,
        claim: Claim,
        benchmark: str,
        columns: Sequence[str],
        metric: str = "val_error_percent",
        at: At | None = None,
    ) -> dict[Key, Arm]:
        """Return the claim's cells, which ask for the level."""
        key = (benchmark, *columns, metric, at)
        if key not in self._made:
            self._made[key] = self._whole.arms(claim, benchmark, columns, metric, at)
        return {name: replace(arm, level=self._level) for name, arm in self._made[key].items()}


def _filled(arm: Arm, fill: Fill, ends: tuple[float, float]) -> Arm:
    lost = arm.without_value
    if not lost:
        return arm
    if fill == "diverged":
        return replace(arm, diverged=arm.diverged + lost, missing=0, conflict=0)
    at_high = {"low": 0, "high": lost, "half": lost // 2}[fill]
    values = np.repeat(ends, [lost - at_high, at_high])
    return replace(arm, sample=np.append(arm.sample, values), missing=0, conflict=0)


def runs_without_value(found: Sequence[Comparison]) -> Mapping[Runs, int]:
    """Return the number of runs without a value in each arm of some comparisons that has any."""
    arms = (arm for one in found for arm in (*one.candidate, *one.reference))
    return {arm.run_ids: arm.without_value for arm in arms if arm.without_value}


def fills(claim: Claim, found: Sequence[Comparison]) -> Iterator[Callable[[Runs], Fill]]:
    """Yield the ways in which runs without a value could turn the comparisons.

    All at one bound, one side of a comparison against all others, and half and half for rules that
    are not monotone.
    """
    ends: tuple[Fill, ...] = ("low", "high")
    if claim.rule in BY_DIVERGENCE:
        ends = (*ends, "diverged")
    everywhere: tuple[Fill, ...] = (*ends, "half")
    for fill in everywhere:
        yield _all_at(frozenset(), fill, fill)
    sides = {
        frozenset(arm.run_ids for arm in side)
        for one in found
        for side in (one.candidate, one.reference)
        if any(arm.without_value for arm in (*one.candidate, *one.reference))
    }
    for side in sorted(sides, key=sorted):
        for own in ends:
            for others in ends:
                if own != others:
                    yield _all_at(side, own, others)


def _all_at(side: frozenset[Any], own: Fill, others: Fill) -> Callable[[Runs], Fill]:
    return lambda runs: own if runs in side else others
