"""The section on a timing sweep: how long an epoch takes. Its errors are no second outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.measures.timing import LOADED, loaded, log_epoch_seconds
from analysis.measures.trials import searched
from analysis.printed import activation_name, count, interval, parameter, stem
from analysis.reporting import figures
from analysis.reporting.figures import Timed
from analysis.reporting.model import PrintedTable, ReportSection
from analysis.statistics.intervals import mean_interval
from analysis.store.results import Results
from analysis.store.statuses import Status


def times_sections(results: Results, sweep: str) -> list[ReportSection]:
    """Return the section on the times of a timing sweep, one line and one mark a configuration."""
    runs = results.runs[results.runs["sweep"] == sweep]
    frame = log_epoch_seconds(results).loc[runs.index]
    seconds = np.exp(frame["value"].where(frame["outcome"] == "measured"))
    names = searched(runs)
    timed = [
        Timed(_label(own.iloc[0], names), str(own["activation"].iloc[0]), seconds[own.index], own)
        for _, own in runs.groupby("config_id", observed=True, sort=False)
    ]
    timed.sort(key=lambda one: (one.seconds.isna().all(), one.seconds.mean()))
    marked = loaded(results, runs)
    note = (
        "Each repetition is a process of its own; its first epoch is left out. Intervals are 95 %"
        " intervals of the mean."
    )
    if marked:
        share = f"{LOADED:.0%} of a core"
        note += f" Beside {count(marked, 'repetition')} other processes used over {share}."
    title = f"Times of {sweep}"
    table = PrintedTable(
        f"{stem(sweep)}-times",
        "Seconds an epoch, the fastest first",
        ("Configuration", "Seconds an epoch", "Repetitions", "Diverged"),
        tuple(map(_line, timed)),
        frozenset({"Seconds an epoch", "Repetitions", "Diverged"}),
        note,
    )
    drawn = [one for one in timed if one.seconds.notna().any()]
    figure = [figures.times(f"{stem(sweep)}-seconds", sweep, drawn)] if drawn else []
    return [ReportSection(f"{stem(sweep)}-timing", title, (table, *figure))]


def _line(one: Timed) -> tuple[str, ...]:
    measured = one.seconds.dropna().to_numpy()
    diverged = int((one.runs["status"] == Status.DIVERGED).sum())
    cells = f"{len(measured)} of {len(one.runs)}", str(diverged)
    return one.label, interval(mean_interval(measured)), *cells


def _label(row: pd.Series, names: list[str]) -> str:
    others = [name for name in names if name != "activation" and pd.notna(row[name])]
    settings = [parameter(name, row[name]) for name in others if name != "repetition"]
    return ", ".join([activation_name(row["activation"]), *settings])
