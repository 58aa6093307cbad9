"""The section on the Pareto front of a sweep with several objectives."""

from __future__ import annotations

import numpy as np

from analysis.measures.front import ON_FRONT, objectives_of_sweep, objectives_table
from analysis.measures.rows import records
from analysis.measures.trials import runs_of_sweep
from analysis.printed import count, short, stem, symbol
from analysis.reporting import figures
from analysis.reporting.model import Paragraph, PrintedTable, ReportSection
from analysis.store.results import Results

MOST_ROWS = 30
"""Trials of a front that the report prints."""


def front_sections(results: Results, sweep: str) -> list[ReportSection]:
    """Return the section on a sweep's front; none where it has one objective or no values yet."""
    objectives = objectives_of_sweep(results, sweep)
    if len(objectives) < 2:
        return []
    table = objectives_table(results, sweep)
    if table.empty:
        return []
    best = table[table[ON_FRONT]]
    _, names = runs_of_sweep(results, sweep)
    names = [name for name in names if name in table]
    rows = tuple(
        (
            str(row["trial"]),
            *(
                one.printed(row[one.name], _finite(row[f"{one.name}_standard_error"]))
                for one in objectives
            ),
            str(row["n"]),
            *(short(row[name]) for name in names),
        )
        for row in records(best.head(MOST_ROWS))
    )
    columns = ("Trial", *(one.label for one in objectives), "Seeds", *map(symbol, names))
    hidden = len(best) - len(rows)
    note = "± is the standard error over a trial's own seeds."
    note += f" {count(hidden, 'further trial')} not shown." if hidden else ""
    place = f"{stem(sweep)}-front"
    sentence = Paragraph(front_sentence(len(best), len(table), [one.label for one in objectives]))
    printed = PrintedTable(
        place, "Pareto front, best first", columns, rows, frozenset(columns), note
    )
    drawn = figures.front(f"{place}-figure", table, objectives)
    return [ReportSection(place, f"Pareto front of {sweep}", (sentence, printed, drawn))]


def front_sentence(there: int, completed: int, labels: list[str]) -> str:
    """Say how many trials are on a front, and what that means."""
    named = f"{', '.join(labels[:-1])} and {labels[-1]}"
    verb = "is" if there == 1 else "are"
    return (
        f"{there} of {count(completed, 'completed trial')} {verb} on the Pareto front: no other"
        f" trial is as good in {named} and better in one of them."
    )


def _finite(standard_error: float) -> float | None:
    return standard_error if np.isfinite(standard_error) else None
