"""The list of sweeps under a root, drawn from a few columns of their tables.

pandas is not imported here: the list would wait for the import longer than for all else.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from analysis.measures.notes import notes
from analysis.printed import MISSING
from analysis.store.errors import StoreWarning
from analysis.store.metric import Metric, metric_of
from analysis.store.plain_rows import read_rows
from analysis.store.roots import find_sweeps
from analysis.store.schema import EVENTS, SWEEPS, TRIALS
from analysis.store.statuses import Status
from sweeps.store.locks import driver_alive
from sweeps.store.paths import SweepPaths
from sweeps.view.columns import Column, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.store.contract import Row

RANKS = {
    "sweep": 0,
    "state": 1,
    "benchmark": 4,
    "purpose": 7,
    "trials": 3,
    "best": 2,
    "started (UTC)": 6,
    "tags": 5,
}
"""Titles of the columns; where a terminal is narrow, the highest number is left out first."""
OF_A_SWEEP = (*("benchmark", "purpose", "trials_planned", "created_at", "metric", "direction"),)
OF_A_TRIAL = ("status", "objective", "objective_standard_error")


def sweeps_table(root: Path, width: int) -> RenderableType:
    """List the sweeps under a root, the newest last, in lines of `width` characters.

    Raises:
        StoreError: the root has no sweeps.
    """
    folders = list(find_sweeps(root).values())
    sweeps, damaged = read_rows(folders, SWEEPS, OF_A_SWEEP)
    trials, more = read_rows(folders, TRIALS, OF_A_TRIAL)
    events, others = read_rows(folders, EVENTS, ("kind", "detail"))
    for file in dict.fromkeys(map(str, (*damaged, *more, *others))):
        warnings.warn(file, StoreWarning, 2)
    of_sweep = defaultdict(list)
    for trial in trials:
        of_sweep[trial["sweep"]].append(trial)
    tags = {sweep: " ".join(note.tags) for sweep, note in notes(events).items()}
    lines = [
        [*_cells(root, sweep, of_sweep[sweep["sweep"]]), tags.get(sweep["sweep"], "")]
        for sweep in sorted(sweeps, key=lambda row: (row["created_at"], row["sweep"]))
    ]
    cells = zip(*lines, strict=True)
    columns = [Column(*one) for one in zip(RANKS, cells, RANKS.values(), strict=True)]
    shown = columns if any(tags.values()) else columns[:-1]
    note = Text("± is the standard error of a trial's own seeds", style="dim")
    return Group(table_of(shown, width), note)


def _cells(root: Path, sweep: Row, trials: Iterable[Row]) -> list[str]:
    done = [one for one in trials if one["status"] not in (Status.RUNNING, Status.INTERRUPTED)]
    complete = len(done) >= sweep["trials_planned"]
    alive = driver_alive(SweepPaths(root, sweep["sweep"]))
    return [
        sweep["sweep"],
        "running" if alive else "complete" if complete else "stopped",
        sweep["benchmark"],
        sweep["purpose"],
        f"{len(done)}/{sweep['trials_planned']}",
        _best(done, metric_of(sweep)),
        f"{sweep['created_at']:%Y-%m-%d %H:%M}",
    ]


def _best(trials: Iterable[Row], metric: Metric) -> str:
    """Write the best objective of completed trials with its error."""
    completed = [
        (metric.badness(one["objective"]), one["trial"], one["objective_standard_error"])
        for one in trials
        if one["status"] == Status.COMPLETED and one["objective"] is not None
    ]
    known = [one for one in completed if not math.isnan(one[0])]
    if not known:
        return MISSING
    badness, _, error = min(known)
    return metric.printed(metric.badness(badness), error)
