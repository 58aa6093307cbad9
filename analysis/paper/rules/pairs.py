"""The pairs of cells that a claim compares: a candidate and a reference, in one or more blocks.

A block holds every other column equal: the pair s = 3, k = 4 against s = 3, k = 3 is one block of
"k = 4 against k = 3".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy

from analysis.measures.cells import Family, Key
from analysis.paper.claims import Claim
from analysis.paper.evidence import SPACE, Arm, Evidence
from analysis.paper.rules.comparison import Missing, level_of
from analysis.printed import activation_name
from analysis.statistics.intervals import NO_CONTRAST, Contrast

Arms = Mapping[Key, Arm]

SIDES = ("candidate", "reference")


@dataclass(frozen=True)
class Pair:
    """Keys of the candidate's and the reference's cells, block by block."""

    name: str
    benchmark: str
    family: Family[Arm]
    candidates: tuple[Key, ...]
    references: tuple[Key, ...]
    unit: str = "points"
    """Of a difference of two values."""

    @property
    def candidate(self) -> tuple[Arm, ...]:
        """The candidate's cells."""
        return tuple(self.family.cells[key] for key in self.candidates)

    @property
    def reference(self) -> tuple[Arm, ...]:
        """The reference's cells."""
        return tuple(self.family.cells[key] for key in self.references)

    def turned(self) -> Pair:
        """Return the pair with both sides exchanged."""
        name = " against ".join(reversed(self.name.split(" against ")))
        return replace(self, name=name, candidates=self.references, references=self.candidates)

    def gain(self) -> Contrast:
        """Return the mean over blocks of the reference's value less the candidate's.

        A block in which all runs of one side diverged has no difference, and is left out here;
        `keeps_its_rank` counts it.
        """
        arms = self.family.cells
        blocks = [
            (candidate, reference)
            for candidate, reference in zip(self.candidates, self.references, strict=True)
            if len(arms[candidate].sample) and len(arms[reference].sample)
        ]
        if not blocks:
            return NO_CONTRAST
        weights = {reference: 1 / len(blocks) for _, reference in blocks}
        return self.family.contrast(weights | {key: -1 / len(blocks) for key, _ in blocks})


def pairs(
    claim: Claim, evidence: Evidence, benchmark: str, metric: str = "val_error_percent"
) -> Iterator[Pair | Missing]:
    """Yield the pairs that a claim compares, and for each that cannot be made what is missing.

    A benchmark without a run that may speak on the claim has no pair at all.
    """
    if claim.arms is not None:
        yield from _of_activations(claim, evidence, benchmark, metric)
    elif claim.grid is not None:
        yield from _of_grid(claim, evidence, benchmark, metric)
    elif claim.factor is not None:
        yield from _of_levels(claim, evidence, benchmark, metric)
    elif claim.selections is not None:
        yield from _of_selections(claim, evidence, benchmark, metric)


def keeps_its_rank(lower: Sequence[Arm], higher: Sequence[Arm], margin: float = 0.0) -> bool:
    """Return True if `lower` stays below `higher` and the margin with diverged runs as the worst.

    Counting them changes nothing if `lower` diverges no more often. Else the ranks have to show it.
    """
    rates = [float(np.mean([arm.failure_rate for arm in side])) for side in (lower, higher)]
    if rates[0] <= rates[1]:
        return True
    return rank_p(lower, higher, margin) < level_of(lower, higher)


def rank_p(lower: Sequence[Arm], higher: Sequence[Arm], margin: float = 0.0) -> float:
    """Return the p value of `lower` not being smaller than `higher` and the margin.

    The rank test of Mann and Whitney (1947), with diverged runs as the worst and each block
    centred on its own median.
    """
    ranked: list[list[float]] = [[], []]
    for low, high in zip(lower, higher, strict=True):
        both = np.concatenate([low.sample, high.sample])
        centre = np.median(both) if len(both) else 0.0
        ranked[0] += list(low.ranked - centre)
        ranked[1] += list(high.ranked - centre + margin)
    return float(scipy.stats.mannwhitneyu(*ranked, alternative="less").pvalue)


def _of_activations(
    claim: Claim, evidence: Evidence, benchmark: str, metric: str
) -> Iterator[Pair | Missing]:
    arms = evidence.arms(claim, benchmark, ["activation"], metric)
    if arms and claim.arms:
        everyone = Family(arms)
        for reference in claim.arms["references"]:
            for candidate in claim.arms["candidates"]:
                name = f"{activation_name(candidate)} against {activation_name(reference)}"
                yield _pair(name, benchmark, everyone, [(candidate,)], [(reference,)])


def _of_levels(
    claim: Claim, evidence: Evidence, benchmark: str, metric: str
) -> Iterator[Pair | Missing]:
    factor = claim.factor or {}
    columns = [factor["column"], *factor["blocks"]]
    arms = evidence.arms(claim, benchmark, ["activation", *columns], metric)
    for activation in claim.activations if arms else ():
        own = {key[1:]: arm for key, arm in arms.items() if key[0] == activation}
        everyone = Family(own)
        reference = _found(factor["reference"], own)
        for level in _levels(claim, own):
            name = f"{activation_name(activation)}, {columns[0]} = {level:g} against {reference:g}"
            blocks = sorted(key[1:] for key in own if key[0] == level)
            sides = [[(place, *block) for block in blocks] for place in (level, reference)]
            if factor.get("worse"):  # then the reference is what gains
                sides.reverse()
            yield _pair(name, benchmark, everyone, *sides)


def _of_grid(
    claim: Claim, evidence: Evidence, benchmark: str, metric: str
) -> Iterator[Pair | Missing]:
    grid = claim.grid or {}
    arms = evidence.arms(claim, benchmark, grid["columns"], metric)
    if not arms:
        return
    everyone = Family(arms)
    reference = tuple(grid["reference"])
    for key in sorted({*arms, *map(tuple, grid["required"])} - {reference}):
        place = _place(grid, key)
        yield _pair(
            f"{place} against {_place(grid, reference)}", benchmark, everyone, [key], [reference]
        )


def _of_selections(
    claim: Claim, evidence: Evidence, benchmark: str, metric: str
) -> Iterator[Pair | Missing]:
    """Yield the one pair of a hypothesis; its blocks hold equal what neither side names."""
    candidate, reference = (dict((claim.selections or {})[side]) for side in SIDES)
    arms = evidence.arms(claim, benchmark, claim.parameters, metric)
    if not arms:
        return
    named = [place for place, column in enumerate(claim.parameters) if column in candidate]
    named += [place for place, column in enumerate(claim.parameters) if column in reference]
    blocks: list[dict[Key, Key]] = []
    for side in (candidate, reference):
        chosen = [
            key
            for key in arms
            if all(_is(key[claim.parameters.index(column)], v) for column, v in side.items())
        ]
        blocks.append(
            {tuple(v for place, v in enumerate(key) if place not in named): key for key in chosen}
        )
    name = " against ".join(map(selection_text, (candidate, reference)))
    both = sorted(blocks[0].keys() | blocks[1].keys(), key=str)
    for side, own in zip((candidate, reference), blocks, strict=True):
        lacking = next((block for block in both if block not in own), None)
        if lacking is not None or not both:
            place = ", ".join([selection_text(side), *(map(str, lacking or ()))])
            yield Missing(name, benchmark, f"no runs of {place}")
            return
    candidates, references = (tuple(own[block] for block in both) for own in blocks)
    yield Pair(name, benchmark, Family(arms), candidates, references, claim.unit)


def selection_text(selection: Mapping[str, Any]) -> str:
    """Return the values of a selection as `scope = channel, s = 3`."""
    return ", ".join(f"{column.removeprefix(SPACE)} = {v}" for column, v in selection.items())


def _is(found: Any, wanted: Any) -> bool:
    """Return True for equal values; to a question True is not 1."""
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)


def _pair(
    name: str,
    benchmark: str,
    everyone: Family[Arm],
    candidates: Sequence[Key],
    references: Sequence[Key],
) -> Pair | Missing:
    for key in (*candidates, *references):
        if key not in everyone.cells:
            place = ", ".join(activation_name(p) if isinstance(p, str) else f"{p:g}" for p in key)
            return Missing(name, benchmark, f"no runs of {place}")
    if not candidates:
        return Missing(name, benchmark, "no runs of it")
    return Pair(name, benchmark, everyone, tuple(candidates), tuple(references))


def _place(grid: Mapping[str, Any], key: Key) -> str:
    return ", ".join(f"{c} = {v:g}" for c, v in zip(grid["columns"], key, strict=True))


def _levels(claim: Claim, arms: Arms) -> list[float]:
    """Return the factor's levels that the claim is about: required ones, and any that has runs."""
    factor = claim.factor or {}
    reference = _found(factor["reference"], arms)
    wanted = {_found(level, arms) for level in factor["required"]} | {key[0] for key in arms}
    if factor.get("above"):
        wanted = {level for level in wanted if level > reference}
    if factor.get("below"):
        wanted = {level for level in wanted if level < reference}
    return sorted(wanted - {reference})


def _found(level: float, arms: Arms) -> float:
    """Return the level as the runs have it, which is equal but for rounding."""
    return next((k[0] for k in arms if math.isclose(k[0], level, rel_tol=1e-9)), level)
