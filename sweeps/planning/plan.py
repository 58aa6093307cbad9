"""A sweep before it starts, as text: its size, its cost, and the claims that it can decide."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from analysis.printed import count, duration
from analysis.statistics.power import detectable_gap
from sweeps.driver.preparation import Prepared
from sweeps.planning.cost import SweepCost, cost_of, on_gpu, threads_here
from sweeps.planning.function_plan import function_plan
from sweeps.planning.hypotheses import WANTED_POWER, hypotheses_table
from sweeps.planning.idleness import free_share
from sweeps.planning.power import Deviation, Prospect, deviation, prospects
from sweeps.spec.search_space import trial_count
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import existing_parent
from sweeps.view.columns import Column, table_of

HARDEST = 24
"""Characters in which a comparison's name is read over several lines."""
BUSY = 0.8
"""Free share of the cores from which a machine counts as idle: the system itself needs some."""
STARTING_SECONDS = 15.0
"""From the command to the first step: Ray, and a worker that loads torch."""


def describe_plan(
    prepared: Prepared, root: Path, width: int, again: bool = False
) -> RenderableType:
    """Show trials, runs, time, disk, and the gaps and claims that the runs can decide.

    Args:
        prepared: the sweep.
        root: of all results.
        width: characters of a line.
        again: True measures the times of this machine anew.
    """
    spec = prepared.spec
    if spec.trainer is not None:
        return function_plan(spec, root, slots_here(spec), width)
    cost = cost_of(prepared, again)
    free = free_share(cores_used(spec))
    parts: list[RenderableType] = [
        size_table(spec, cost, root),
        Text(cost.source, style="dim"),
        *(Text(warning, style="yellow") for warning in warnings(spec, cost, root, free)),
        Text(),
        *_findings(spec, deviation(spec, root), width),
    ]
    return Group(*parts)


def _findings(spec: SweepSpec, scatter: Deviation | None, width: int) -> list[RenderableType]:
    seeds = count(len(spec.seeds), "seed")
    if scatter is None:
        text = (
            f"seed-to-seed deviation unknown (too few earlier runs of {spec.benchmark} over"
            f" {count(spec.recipe.epochs, 'epoch')}): cannot say which gap {seeds} a trial can"
            " resolve"
        )
        return [Text(text, style="dim"), *hypotheses_table(spec, None, width)]
    resolution = Text(resolution_text(spec, scatter))
    if spec.purpose == "exploratory":
        text = "an exploratory sweep decides no claim of the paper; `purpose: confirmatory` does"
        return [resolution, Text(text, style="dim")]
    found = prospects(spec, scatter.points)
    none = Text("none of the paper's claims is about such a sweep", style="dim")
    own = hypotheses_table(spec, scatter.points, width)
    if own and not found:
        return [resolution, *own]
    return [resolution, Text(), *(claims_table(found, width) if found else [none]), *own]


def size_table(spec: SweepSpec, cost: SweepCost, root: Path) -> RenderableType:
    """Show how many trials and runs there are, and the time and disk that they take."""
    trials, seeds = trial_count(spec), spec.seeds_each
    low, high = cost.total_seconds(spec)
    shortest = min(least for least, _ in cost.runs)
    longest = max(most for _, most in cost.runs)
    bound = "at most " if spec.early_stopping.rule != "none" else ""
    wall_low, wall_high = wall_seconds(spec, cost)
    free = shutil.disk_usage(existing_parent(root)).free
    table = Table.grid(padding=(0, 2))
    slots = count(slots_here(spec), "trial")
    epochs = count(spec.recipe.epochs, "epoch")
    time = "GPU time" if on_gpu(spec) else "CPU time"
    rows = [
        ("trials", f"{trials}"),
        ("runs", f"{trials * seeds} ({count(seeds, 'seed')} a trial)"),
        ("one run", f"{_range(shortest, longest)} ({epochs})"),
        (time, bound + _range(low, high)),
        ("wall time", f"{bound}{_range(wall_low, wall_high)} ({slots} at a time on this machine)"),
        ("disk", f"{_megabytes(cost.total_bytes(spec))} (of {free / 1e9:.0f} GB free)"),
    ]
    for label, value in rows:
        table.add_row(Text(label, style="bold"), value)
    return table


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB" if size > 10e6 else f"{size / 1e6:.1f} MB"


def _range(low: float, high: float) -> str:
    """Return `2 min 10 s to 3 min 05 s`."""
    first, last = duration(low), duration(high)
    return first if first == last else f"{first} to {last}"


def wall_seconds(spec: SweepSpec, cost: SweepCost) -> tuple[float, float]:
    """Return the least and the most seconds from the sweep's start to its end, if all is idle."""
    trials, slots = trial_count(spec), slots_here(spec)
    low, high = (seconds / trials for seconds in cost.total_seconds(spec))
    # CPU seconds of a run are those of all of its threads, which share them.
    threads = 1 if on_gpu(spec) else threads_here(spec)
    rounds = math.ceil(trials / slots)
    return (
        rounds * low / threads + STARTING_SECONDS,
        rounds * high / threads + STARTING_SECONDS,
    )


def warnings(spec: SweepSpec, cost: SweepCost, root: Path, free: float) -> list[str]:
    """Say which limits of the budget, or of the disk, the sweep will reach before its end.

    Args:
        spec: of the sweep.
        cost: of the sweep.
        root: of all results.
        free: share of this machine's cores that the sweep would get now.
    """
    gpu_hours = cost.total_seconds(spec)[1] / 3600 * spec.resources.gpus
    needs = {
        "wall_hours": wall_seconds(spec, cost)[1] / 3600,
        "gpu_hours": gpu_hours if on_gpu(spec) else 0.0,
        "megabytes": cost.total_bytes(spec) / 1e6,
    }
    found = [
        f"budget.{key}: {limit:g} may be spent before the end, which takes up to {needed:.3g}"
        for key, needed in needs.items()
        if (limit := getattr(spec.budget, key)) is not None and needed > limit
    ]
    if cost.total_bytes(spec) > shutil.disk_usage(existing_parent(root)).free:
        found.append(f"the disk of {root} has no room for the results: name another with --root")
    return [*_of_this_machine(spec, free), *found]


def _of_this_machine(spec: SweepSpec, free: float) -> list[str]:
    """Say what this machine lacks for the sweep now."""
    found = []
    if spec.resources.gpus > 0 and not on_gpu(spec):
        found.append(
            "the sweep asks for a GPU and this machine has none: the times are those of its CPU;"
            " plan on a machine with one for its times"
        )
    cores = len(os.sched_getaffinity(0))
    if spec.resources.cpus > cores:
        found.append(
            f"a trial asks for {spec.resources.cpus:g} cores and this machine has {cores}:"
            " it can plan the sweep, and not run it"
        )
    if free < BUSY:
        found.append(
            f"this machine is busy: of {count(cores_used(spec), 'core')} {100 * free:.0f} % are"
            f" free, so that the wall time would be {1 / max(free, 0.01):.1f} times as long now"
        )
    return found


def resolution_text(spec: SweepSpec, scatter: Deviation) -> str:
    """Say which gap between two trials the sweep's seeds resolve."""
    seeds = len(spec.seeds)
    known = f"seed-to-seed deviation: {scatter.points:.2g} points ({scatter.source})"
    if seeds < 2:
        return f"{known}\na single seed resolves no gap between two trials"
    gap = detectable_gap("difference", scatter.points, seeds, WANTED_POWER)
    power = f"{100 * WANTED_POWER:.0f} %"
    shown = f"{seeds} seeds show a gap of {gap:.2g} points with {power} power"
    # `compare` looks once, at 5 %; a claim of the paper spends its level over all of its looks.
    return f"{known}\n{shown}, in one comparison at a level of 5 %"


def claims_table(found: Sequence[Prospect], width: int) -> list[RenderableType]:
    """Show the power of the design for each claim, in lines of `width` characters."""
    seeds = ["–" if one.seeds_needed is None else f"{one.seeds_needed:,}" for one in found]
    runs = [" + ".join(str(n) for n in one.runs if n) or "–" for one in found]
    hardest = ["; ".join(filter(None, (one.comparison, one.lacking))) for one in found]
    columns = [
        Column("claim", [one.claim for one in found]),
        Column("power", [_power_text(one) for one in found], right=True),
        Column("runs", runs, rank=1, right=True),
        Column(f"seeds for {100 * WANTED_POWER:.0f} %", seeds, rank=2, right=True),
        Column(
            "hardest comparison", [Text(one, style="dim") for one in hardest], rank=3, least=HARDEST
        ),
    ]
    table = table_of(columns, width)
    text = (
        "power: probability that the whole claim is decided by these seeds, at the level of their"
        " look, if it is true and the gap is the paper's, or the smallest that matters; –: no gap"
        " is stated, nothing is lacking"
    )
    return [table, Text(text, style="dim")]


def _power_text(one: Prospect) -> Text:
    if not one.comparison:
        return Text("no", style="red")
    if one.power is None:
        return Text("–")
    return Text(
        f"{100 * one.power:.0f} %", style="green" if one.power >= WANTED_POWER else "yellow"
    )


def slots_here(spec: SweepSpec) -> int:
    """Return how many trials this machine runs at a time."""
    slots = int(len(os.sched_getaffinity(0)) / spec.resources.cpus)
    if on_gpu(spec):
        import torch

        slots = min(slots, int(torch.cuda.device_count() / spec.resources.gpus))
    return max(1, min(slots, spec.most_at_once or slots, trial_count(spec)))


def cores_used(spec: SweepSpec) -> int:
    """Return how many of this machine's cores the sweep uses."""
    return min(slots_here(spec) * threads_here(spec), len(os.sched_getaffinity(0)))
