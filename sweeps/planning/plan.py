"""A sweep before it starts, as text: its size, its cost, and the claims that it can decide."""

from __future__ import annotations

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
from sweeps.planning.cost import Cost, costs, on_gpu, run_bytes
from sweeps.planning.power import Deviation, Prospect, deviation, prospects
from sweeps.spec.search_space import trial_count
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import existing_parent

WANTED_POWER = 0.8


def describe_plan(prepared: Prepared, root: Path) -> RenderableType:
    """Show trials, runs, time, disk, and the gaps and claims that the runs can decide."""
    spec = prepared.spec
    known, source = costs(prepared, root)
    parts: list[RenderableType] = [
        size_table(spec, known, root),
        Text(f"time and disk: {source}", style="dim"),
        *(Text(warning, style="yellow") for warning in warnings(spec, known, root)),
        Text(),
        *_findings(spec, deviation(spec, root)),
    ]
    return Group(*parts)


def _findings(spec: SweepSpec, scatter: Deviation | None) -> list[RenderableType]:
    seeds = count(len(spec.seeds), "seed")
    if scatter is None:
        text = (
            f"seed-to-seed deviation unknown (no earlier runs of {spec.benchmark}): cannot say"
            f" which gap {seeds} a trial can resolve"
        )
        return [Text(text, style="dim")]
    resolution = Text(resolution_text(spec, scatter))
    if spec.purpose == "exploratory":
        text = "an exploratory sweep decides no claim of the paper; `purpose: confirmatory` does"
        return [resolution, Text(text, style="dim")]
    found = prospects(spec, scatter.points)
    none = Text("none of the paper's claims is about such a sweep", style="dim")
    return [resolution, Text(), *(claims_table(found) if found else [none])]


def size_table(spec: SweepSpec, known: Sequence[Cost], root: Path) -> RenderableType:
    """Show how many trials and runs there are, and the time and disk that they take."""
    trials, seeds = trial_count(spec), spec.seeds_each
    seconds = [cost.epoch_seconds * spec.recipe.epochs for cost in known]
    total = total_seconds(spec, known)
    slots = slots_here(spec)
    shortest, longest = (duration(end(seconds)) for end in (min, max))
    each = longest if shortest == longest else f"{shortest} to {longest}"
    bound = "at most " if spec.early_stopping.rule != "none" else ""
    free = shutil.disk_usage(existing_parent(root)).free
    table = Table.grid(padding=(0, 2))
    rows = [
        ("trials", f"{trials}"),
        ("runs", f"{trials * seeds} ({count(seeds, 'seed')} a trial)"),
        ("one run", f"{each} ({spec.recipe.epochs} epochs)"),
        ("wall time", f"{bound}{duration(total / slots)} ({slots} trials at a time here)"),
        ("CPU time", f"{bound}{duration(total * spec.resources.cpus)}"),
        ("disk", f"{total_bytes(spec, known) / 1e6:.0f} MB (of {free / 1e9:.0f} GB free)"),
    ]
    if on_gpu(spec):
        rows[4] = ("GPU time", f"{bound}{total * spec.resources.gpus / 3600:.1f} hours")
    for label, value in rows:
        table.add_row(Text(label, style="bold"), value)
    return table


def warnings(spec: SweepSpec, known: Sequence[Cost], root: Path) -> list[str]:
    """Say which limits of the budget, or of the disk, the sweep will reach before its end."""
    hours = total_seconds(spec, known) / 3600
    needs = {
        "wall_hours": hours / slots_here(spec),
        "gpu_hours": hours * spec.resources.gpus if on_gpu(spec) else 0.0,
        "megabytes": total_bytes(spec, known) / 1e6,
    }
    found = [
        f"budget.{key}: {limit:g} will be spent before the end, which takes about {needed:.3g}"
        for key, needed in needs.items()
        if (limit := getattr(spec.budget, key)) is not None and needed > limit
    ]
    if spec.resources.gpus > 0 and not on_gpu(spec):
        text = (
            "the sweep asks for a GPU and this machine has none: the times are those of its CPU;"
            " plan on a machine with one for its times"
        )
        found.insert(0, text)
    if total_bytes(spec, known) > shutil.disk_usage(existing_parent(root)).free:
        found.append(f"the disk of {root} has no room for the results: name another with --root")
    return found


def resolution_text(spec: SweepSpec, scatter: Deviation) -> str:
    """Say which gap between two trials the sweep's seeds resolve."""
    seeds = len(spec.seeds)
    known = f"seed-to-seed deviation: {scatter.points:.2g} points ({scatter.source})"
    if seeds < 2:
        return f"{known}\na single seed resolves no gap between two trials"
    gap = detectable_gap("difference", scatter.points, seeds, WANTED_POWER)
    power = f"{100 * WANTED_POWER:.0f} %"
    return f"{known}\n{seeds} seeds show a gap of {gap:.2g} points with {power} power"


def claims_table(found: Sequence[Prospect]) -> list[RenderableType]:
    """Show the power of the design for each claim."""
    table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    table.add_column("claim", no_wrap=True)
    table.add_column("power", justify="right", no_wrap=True)
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column(f"seeds for {100 * WANTED_POWER:.0f} %", justify="right", no_wrap=True)
    table.add_column("hardest comparison", overflow="fold")
    for one in found:
        hardest = "; ".join(filter(None, (one.comparison, one.lacking)))
        table.add_row(
            one.claim,
            _power_text(one),
            " + ".join(str(n) for n in one.runs if n) or "–",
            "–" if one.seeds_needed is None else f"{one.seeds_needed:,}",
            Text(hardest, style="dim"),
        )
    text = (
        "power: probability that the whole claim is decided by these seeds, if it is true and the"
        " gap is the paper's, or the smallest that matters; –: no gap is stated, nothing is lacking"
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


def total_seconds(spec: SweepSpec, known: Sequence[Cost]) -> float:
    """Estimate the time of all runs, one after the other."""
    mean = sum(cost.epoch_seconds for cost in known) / len(known)
    return mean * spec.recipe.epochs * spec.seeds_each * trial_count(spec)


def total_bytes(spec: SweepSpec, known: Sequence[Cost]) -> float:
    """Estimate the disk space of all runs."""
    mean = sum(run_bytes(spec, cost) for cost in known) / len(known)
    return mean * spec.seeds_each * trial_count(spec)
