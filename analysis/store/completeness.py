"""Rows that are missing from what can be read: nothing may vanish without a word.

A part that is gone leaves no damaged file behind. Numbers tell of it: a writer's parts have no gap,
a completed run has all its epochs, and a completed trial has all its runs.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from analysis.store.errors import DamagedFile
from analysis.store.folders import Folder
from analysis.store.layout import order_of, parts_folder
from analysis.store.statuses import Status

_LOOKS = 3
"""Listings that must agree on a gap: one that others write to meanwhile may lack a newer name."""


def missing_parts(sweep: Folder, writer: str | None = None) -> dict[str, DamagedFile]:
    """Return the parts that are missing between others, of one writer or of all, by path."""
    gaps = _gaps(sweep, writer)
    for _ in range(_LOOKS - 1):
        if gaps:
            gaps &= _gaps(sweep, writer)
    folder = parts_folder(sweep)
    paths = (folder.child(f"{name}-{number:06d}").path for name, number in sorted(gaps))
    reason = "is missing between other parts of its writer, and its rows with it"
    return {path: DamagedFile(path, reason, left_out=False) for path in paths}


def short_runs(runs: pd.DataFrame, epochs: pd.DataFrame) -> list[DamagedFile]:
    """Name the completed runs of which epochs are missing.

    Args:
        runs: the table `runs`, read before the epochs: those are durable before a run's end.
        epochs: the key of the table `epochs`.
    """
    completed = runs[(runs["status"] == Status.COMPLETED) & runs["epochs_done"].notna()]
    found = epochs.groupby(["sweep", "run_id"], observed=True)["epoch"].size()
    there = [
        int(found.get((sweep, run_id), 0))
        for sweep, run_id in zip(completed["sweep"], completed["run_id"], strict=True)
    ]
    return [
        DamagedFile(f"{sweep}/{run_id}", f"has {count} of its {planned} epochs", left_out=False)
        for sweep, run_id, count, planned in zip(
            completed["sweep"], completed["run_id"], there, completed["epochs_done"], strict=True
        )
        if count < planned
    ]


def short_trials(trials: pd.DataFrame, runs: pd.DataFrame) -> list[DamagedFile]:
    """Name the completed trials of which runs are missing.

    Args:
        trials: the table `trials`, read before the runs: those are durable before a trial's end.
        runs: the table `runs`.
    """
    completed = runs[runs["status"] == Status.COMPLETED]
    # Two trials of one configuration share their runs, which name the first of them.
    counts = [
        completed.groupby(["sweep", column], observed=True).size().to_dict()
        for column in ("trial", "config_id")
    ]
    ended = trials[(trials["status"] == Status.COMPLETED) & trials["seeds_done"].notna()]
    columns = ("sweep", "trial", "config_id", "seeds_done")
    lost = []
    for sweep, trial, config_id, planned in zip(*(ended[name] for name in columns), strict=True):
        count = max(counts[0].get((sweep, trial), 0), counts[1].get((sweep, config_id), 0))
        if count < planned:
            reason = f"has {count} of its {planned} completed runs"
            lost.append(DamagedFile(f"{sweep}/trial {trial}", reason, left_out=False))
    return lost


def _gaps(sweep: Folder, writer: str | None) -> set[tuple[str, int]]:
    numbers: dict[str, set[int]] = {}
    for name in _part_names(parts_folder(sweep)):
        owner, _, number = order_of(name)
        if writer in (None, owner):
            numbers.setdefault(owner, set()).add(number)
    return {
        (owner, number)
        for owner, found in numbers.items()
        if len(found) <= max(found) - min(found)
        for number in set(range(min(found), max(found))) - found
    }


def _part_names(folder: Folder) -> Iterable[str]:
    return (name for name in folder.names() if name[0] != "." and name.endswith(".arrows"))
