"""The cost of a sweep: of each kind of its trials, as this machine has it, measured or kept."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sweeps.driver.preparation import Prepared
from sweeps.planning.calibration import Cost, calibrate
from sweeps.planning.kept_costs import keep, recall, work_of
from sweeps.planning.stand_in import images_of
from sweeps.spec.domain import Domain
from sweeps.spec.errors import SpecError
from sweeps.spec.search_space import Params, configure, grid_points, trial_count
from sweeps.spec.sections import SweepSpec
from trainers import Execution, RunConfig
from trainers.data.datasets import Images

CALIBRATION_SECONDS = 45.0
"""For all kinds of trial together. A kind that has begun takes its first steps to their end: a
calibration is over within 60 seconds."""


@dataclass(frozen=True)
class SweepCost:
    """What a sweep costs where all of its runs are trained to their end."""

    runs: tuple[tuple[float, float], ...]
    """The least and the most seconds of one run of each kind that is known."""
    run_bytes: tuple[float, ...]
    """The disk space of one."""
    source: str
    """Where the costs come from, in words."""

    def total_seconds(self, spec: SweepSpec) -> tuple[float, float]:
        """Return the least and the most seconds of all runs, one after the other."""
        runs = trial_count(spec) * spec.seeds_each
        low, high = (sum(column) / len(self.runs) for column in zip(*self.runs, strict=True))
        return low * runs, high * runs

    def total_bytes(self, spec: SweepSpec) -> float:
        """Return the disk space of all runs."""
        mean = sum(self.run_bytes) / len(self.run_bytes)
        return mean * spec.seeds_each * trial_count(spec)


def cost_of(prepared: Prepared, again: bool = False) -> SweepCost:
    """Return the cost of a sweep, from a calibration of the kinds of trial that are not known.

    Args:
        prepared: the sweep.
        again: True measures what is known, too.

    Raises:
        SpecError: no kind of trial gets through its first steps.
    """
    images, stand_in = images_of(prepared.spec, prepared.data_root)
    kinds = representative_runs(prepared)
    works = [work_of(config, images) for config in kinds]
    unlike = [place for place, work in enumerate(works) if work not in works[:place]]
    known = {} if again else {n: cost for n in unlike if (cost := recall(works[n])) is not None}
    open_ones = [place for place in unlike if place not in known]
    measured = _calibrated([kinds[place] for place in open_ones], images)
    for place, cost in zip(open_ones, measured, strict=False):
        if cost is not None:
            keep(works[place], cost)
            known[place] = cost
    if not known:
        raise SpecError("no kind of trial gets through its first steps on this machine")
    alike = [
        (config, known.get(works.index(work))) for config, work in zip(kinds, works, strict=True)
    ]
    costs = [(config.recipe, cost) for config, cost in alike if cost is not None]
    return SweepCost(
        tuple(cost.run_seconds(recipe) for recipe, cost in costs),
        tuple(cost.run_bytes(recipe) for recipe, cost in costs),
        _source(len(unlike), len(known), len(measured), stand_in),
    )


def representative_points(spec: SweepSpec) -> list[Params]:
    """Return a trial for each activation, with both ends of every other domain."""
    points: list[Params] = []
    for end in (0, -1):
        space = {key: _one(domain, end) for key, domain in spec.space.items()}
        if "activation" in spec.space:
            space["activation"] = spec.space["activation"].model_copy(update={"kind": "grid"})
        points += grid_points(spec.model_copy(update={"space": space}))
    return [point for index, point in enumerate(points) if point not in points[:index]]


def representative_runs(prepared: Prepared) -> list[RunConfig]:
    """Return a run of each representative trial, as this machine can train it."""
    spec = prepared.spec
    device = "cuda" if on_gpu(spec) else "cpu"
    execution = Execution(device=device, threads=threads_here(spec), data_root=prepared.data_root)
    points = representative_points(spec)
    return [RunConfig.of(configure(spec, point), spec.seeds[0], execution) for point in points]


def on_gpu(spec: SweepSpec) -> bool:
    """Return True if a sweep asks for GPUs and this machine has one."""
    if spec.resources.gpus == 0:
        return False
    import torch

    return torch.cuda.is_available()


def threads_here(spec: SweepSpec) -> int:
    """Return the threads of a trial, at most as many as this machine has cores."""
    # More threads than cores would measure how they wait for each other.
    return min(max(1, int(spec.resources.cpus)), len(os.sched_getaffinity(0)))


def _calibrated(kinds: Sequence[RunConfig], images: Images) -> list[Cost | None]:
    """Measure kinds of trial until the time is over; None: it fails on this machine."""
    found: list[Cost | None] = []
    deadline = time.monotonic() + CALIBRATION_SECONDS
    for config in kinds:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        found.append(calibrate(config, images, left / (len(kinds) - len(found))))
    return found


def _source(kinds: int, known: int, measured: int, stand_in: str) -> str:
    """Say where costs come from."""
    parts = [f"time and disk: measured on this machine{' before' if not measured else ''}"]
    if known < kinds:
        parts.append(
            f"{known} of {kinds} kinds of trial, which stand for the others: plan again for more"
        )
    return ", ".join([*parts, *filter(None, [stand_in])])


def _one(domain: Domain, end: int) -> Domain:
    plain = {"kind": "fixed", "values": (domain.values[end],), "step": None, "log": False}
    return domain.model_copy(update=plain)
