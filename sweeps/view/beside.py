"""Two sweeps side by side in a terminal: what was asked otherwise, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

import analysis
from analysis.measures.rows import records
from analysis.printed import MISSING, brief_parameters, count, interval, number
from analysis.statistics.intervals import Interval
from analysis.store.contract import Row
from analysis.store.metric import metric_of
from sweeps.view.columns import Column, table_of
from sweeps.view.drawing import best_text
from sweeps.view.overview import best_of

NOT_COMPARED = ("name", "question")
"""Keys of a specification that say nothing on what is trained."""


def beside_view(
    root: Path, first: str, second: str, changes: Sequence[str], width: int
) -> RenderableType:
    """Show the settings that differ, each sweep's best trial, and the trials that both have.

    Args:
        root: of all sweeps.
        first: name of a sweep.
        second: name of another.
        changes: the settings that differ, a line each.
        width: characters of a line.

    Raises:
        StoreError: no such sweep.
    """
    results = analysis.load(root, [first, second])
    parts: list[RenderableType] = [Text("settings that differ" if changes else "same settings")]
    parts += [Text(f"  {change}") for change in changes]
    for name in (first, second):
        own = results.trials[results.trials["sweep"] == name]
        metric = metric_of(results.sweeps[results.sweeps["sweep"] == name].iloc[0])
        parts.append(Text.assemble(f"{name}: ", best_text(best_of(own, metric))))
    found = records(analysis.beside(results, first, second))
    if not found:
        return Group(*parts, Text("no trial has the same parameters in both"))
    note = f"difference: {second} less {first}, in points, with Welch's 95 % interval"
    return Group(*parts, Text(), _table(found, first, second, width), Text(note, style="dim"))


def _table(found: Sequence[Row], first: str, second: str, width: int) -> Table:
    return table_of(
        [
            Column("parameters", [brief_parameters(row["parameters"]) or MISSING for row in found]),
            Column(first, [_mean(row["mean_first"], row["n_first"]) for row in found], right=True),
            Column(
                second, [_mean(row["mean_second"], row["n_second"]) for row in found], right=True
            ),
            Column("difference", [_gap(row) for row in found], right=True),
        ],
        width,
    )


def _gap(row: Row) -> str:
    if row["n_shared"]:
        return f"{count(row['n_shared'], 'run')} shared"
    return interval(Interval(row["difference"], row["low"], row["high"]))


def _mean(mean: float, n: int) -> str:
    return f"{number(mean)} % ({n})" if n else MISSING
