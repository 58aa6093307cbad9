"""Repetitions: a timing sweep trains each point of its grid several times.

What slows a process slows all that it trains, so one measured time is one process: each repetition
of a point is a trial of its own, with one seed, and the arms of a comparison take turns.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from sweeps.spec.domain import Domain, in_order
from sweeps.spec.sections import SweepSpec
from trainers.config import OptionValue

REPETITION = "repetition"
"""The parameter of a timing sweep's trials that tells repetitions apart, from 1; it changes nothing
in what is trained."""

Point = dict[str, OptionValue]


def parameters(spec: SweepSpec) -> dict[str, Domain]:
    """Return what trials vary: the space as `in_order` has it, and repetitions last."""
    ordered = dict(in_order(spec.space))
    if spec.purpose != "timing":
        return ordered
    return {**ordered, REPETITION: Domain(kind="grid", values=tuple(_numbers(spec)))}


def interleaved(spec: SweepSpec, points: Sequence[Point]) -> list[Point]:
    """Return each point once a repetition: all points in one random order, then in another.

    So whatever drifts over hours, as a machine's temperature, is shared by all points.
    """
    found = []
    for number in _numbers(spec):
        turn = list(points)
        random.Random(f"{spec.search.seed}/{number}").shuffle(turn)
        found += [{**point, REPETITION: number} for point in turn]
    return found


def seeds_of(spec: SweepSpec, params: Point, added: Sequence[int] = ()) -> tuple[int, ...]:
    """Return the seeds that a trial trains, in their order: of a repetition its own.

    Args:
        spec: of the sweep.
        params: of the trial.
        added: seeds that the trial has beyond those of the specification.
    """
    if spec.purpose == "timing":
        return (spec.seeds[int(params[REPETITION]) - 1],)
    return (*spec.seeds, *(seed for seed in added if seed not in spec.seeds))


def _numbers(spec: SweepSpec) -> range:
    return range(1, len(spec.seeds) + 1)
