"""What a sweep is before it starts: its size, its cost, and what it can find out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from analysis.printed import duration
from analysis.statistics.power import detectable_gap
from sweeps.driver.preparation import Prepared
from sweeps.planning.cost import Cost, costs, run_bytes
from sweeps.planning.power import Deviation, Prospect, deviation, prospects
from sweeps.spec.search_space import trial_count
from sweeps.spec.sections import SweepSpec

WANTED_POWER = 0.8


def plan(prepared: Prepared, root: Path) -> RenderableType:
    """Show trials, runs, time, disk, and what the runs can tell apart."""
    spec = prepared.spec
    known, source = costs(prepared, root)
    scatter = deviation(spec, root)
    parts: list[RenderableType] = [size_table(spec, known, root)]
    parts.append(Text(f"time and disk: {source}", style="dim"))
    parts += [Text(warning, style="yellow") for warning in warnings(spec, known, root)]
    parts.append(Text())
    if scatter is None:
        text = "the deviation between seeds is not known yet: what they tell apart cannot be said"
        return Group(*parts, Text(text, style="dim"))
    parts.append(Text(resolution_text(spec, scatter)))
    if spec.purpose != "confirmatory":
        text = "it decides no claim of the paper: only `purpose: confirmatory` does"
        return Group(*parts, Text(text, style="dim"))
    found = prospects(spec, scatter.points)
    return Group(*parts, Text(), *(claims_table(found) if found else [Text("no claim")]))


def size_table(spec: SweepSpec, known: Sequence[Cost], root: Path) -> RenderableType:
    """Show how much there is to do, and what it takes."""
    trials, seeds = trial_count(spec), len(spec.seeds)
    seconds = [cost.epoch_seconds * spec.recipe.epochs for cost in known]
    total = total_seconds(spec, known)
    slots = slots_here(spec)
    shortest, longest = (duration(end(seconds)) for end in (min, max))
    each = longest if shortest == longest else f"{shortest} to {longest}"
    bound = "at most " if spec.early_stopping.rule != "none" else ""
    free = shutil.disk_usage(existing(root)).free
    table = Table.grid(padding=(0, 2))
    rows = [
        ("trials", f"{trials}"),
        ("runs", f"{trials * seeds} ({seeds} seeds a trial)"),
        ("one run", f"{each} ({spec.recipe.epochs} epochs)"),
        ("wall time", f"{bound}{duration(total / slots)} ({slots} trials at a time here)"),
        ("CPU time", f"{bound}{duration(total * spec.resources.cpus)}"),
        ("disk", f"{total_bytes(spec, known) / 1e6:.0f} MB (of {free / 1e9:.0f} GB that are free)"),
    ]
    if spec.resources.gpus > 0:
        rows[4] = ("GPU time", f"{bound}{total * spec.resources.gpus / 3600:.1f} hours")
    for label, value in rows:
        table.add_row(Text(label, style="bold"), value)
    return table


def warnings(spec: SweepSpec, known: Sequence[Cost], root: Path) -> list[str]:
    """Name what the sweep will run into."""
    hours = total_seconds(spec, known) / 3600
    needs = {
        "wall_hours": hours / slots_here(spec),
        "gpu_hours": hours * spec.resources.gpus,
        "megabytes": total_bytes(spec, known) / 1e6,
    }
    found = [
        f"budget.{key}: {limit:g} will be spent before its end, which takes about {needed:.3g}"
        for key, needed in needs.items()
        if (limit := getattr(spec.budget, key)) is not None and needed > limit
    ]
    if total_bytes(spec, known) > shutil.disk_usage(existing(root)).free:
        found.append(f"the disk of {root} has no room for it: name another with --root")
    return found


def resolution_text(spec: SweepSpec, scatter: Deviation) -> str:
    """Say how far two trials must lie apart to be told apart."""
    seeds = len(spec.seeds)
    known = f"runs of one trial deviate by {scatter.points:.2g} points ({scatter.source})"
    if seeds < 2:
        return f"{known}; a single seed tells no two trials apart"
    gap = detectable_gap("difference", scatter.points, seeds, WANTED_POWER)
    return f"{known}:\n{seeds} seeds tell two trials {gap:.2g} points apart in 4 of 5 cases"


def claims_table(found: Sequence[Prospect]) -> list[RenderableType]:
    """Show what the design can do for each claim."""
    table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    table.add_column("claim", no_wrap=True)
    table.add_column("power", justify="right", no_wrap=True)
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("seeds for 80 %", justify="right", no_wrap=True)
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
        "power: how often a claim is decided if it is true, with the paper's own gap or the"
        " smallest one that matters; –: the paper states none, the design is complete"
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
    """Count the trials that this machine runs at a time."""
    slots = int(len(os.sched_getaffinity(0)) / spec.resources.cpus)
    if spec.resources.gpus > 0:
        import torch

        slots = min(slots, int(torch.cuda.device_count() / spec.resources.gpus))
    limit = slots if spec.concurrency == "auto" else spec.concurrency
    return max(1, min(slots, limit, trial_count(spec)))


def total_seconds(spec: SweepSpec, known: Sequence[Cost]) -> float:
    """Estimate the time of all runs, one after the other."""
    mean = sum(cost.epoch_seconds for cost in known) / len(known)
    return mean * spec.recipe.epochs * len(spec.seeds) * trial_count(spec)


def total_bytes(spec: SweepSpec, known: Sequence[Cost]) -> float:
    """Estimate the disk space of all runs."""
    mean = sum(run_bytes(spec, cost) for cost in known) / len(known)
    return mean * len(spec.seeds) * trial_count(spec)


def existing(root: Path) -> Path:
    """Find the folder on whose disk a root is, or will be."""
    return next(folder for folder in (root.resolve(), *root.resolve().parents) if folder.exists())
