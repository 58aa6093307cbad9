"""Overviews from the store: a sweep's view rebuilt, the table of trials."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

import analysis
from analysis.measures.notes import Note, notes
from analysis.measures.rows import records
from analysis.printed import MISSING, brief_parameters
from analysis.store.contract import Row
from analysis.store.metric import EPOCH_SECONDS, Metric, objectives_of
from analysis.store.statuses import Status
from sweeps.spec.reading import parse_spec
from sweeps.store.locks import driver_alive
from sweeps.store.paths import SweepPaths
from sweeps.view.columns import GAP, Column, fitting, table_of
from sweeps.view.drawing import best_text, front_texts, parameter_columns
from sweeps.view.progress import (
    KEPT_TROUBLES,
    KEPT_VALUES,
    Best,
    RunningTrial,
    SweepView,
    badness_of,
    front_of,
)

TRIAL_COLUMNS = {
    "trial": 0,
    "status": 0,
    "{} ± s.e.": 0,
    "seeds": 1,
    "epochs": 2,
    "train s": 3,
}
"""Titles of the table of trials, {} for the metric. The highest number is left out first, 0 never.
"""
WORDS = ("activation", "scope", "init")
"""Parameters whose values are words."""
SHOWN_TRIALS = 40
"""Trials in the table of a sweep; the others are counted."""


def current_view(root: Path, name: str) -> SweepView:
    """Return the view that the sweep's driver shows, or, without a driver, the store's."""
    paths = SweepPaths(root, name)
    if driver_alive(paths):
        with suppress(FileNotFoundError):  # a driver that has just begun has published nothing
            return SweepView.from_json(paths.progress.read_text("utf-8"))
    return sweep_view(root, name)


def sweep_view(root: Path, name: str) -> SweepView:
    """Rebuild the view of a sweep from its store."""
    return view_of(analysis.load(root, [name]), SweepPaths(root, name))


def view_of(results: analysis.Results, paths: SweepPaths) -> SweepView:
    """Rebuild the view of a sweep from its tables."""
    sweep = results.sweeps.iloc[0]
    trials = results.trials
    metric, *also = objectives_of(sweep)
    view = SweepView(
        name=paths.sweep,
        total=int(sweep["trials_planned"]),
        seeds=int(sweep["seeds"]),
        epochs=0 if pd.isna(sweep["epochs_planned"]) else int(sweep["epochs_planned"]),
        subject=parse_spec(json.loads(sweep["spec_json"])).subject,
        started_at=sweep["created_at"].timestamp(),
        counts=_ended_counts(trials),
        metric=metric,
        best=best_of(trials, metric),
        also=tuple(also),
        front=front_of_trials(trials, (metric, *also)),
    )
    troubled = trials["status"].isin([status for status in Status if status.trouble])
    view.troubles = [
        f"trial {trial['trial']} {trial['status']}: {trial['error'] or 'no reason given'}"
        for trial in records(trials[troubled].tail(KEPT_TROUBLES))
    ]
    running = records(trials[trials["status"] == Status.RUNNING])
    if driver_alive(paths):
        view.running = {trial["trial"]: _running(results, trial, metric) for trial in running}
        return view
    if running:
        lost = len(running) + view.counts.get(Status.INTERRUPTED, 0)
        view.counts[Status.INTERRUPTED] = lost
    ended = trials["ended_at"].max()
    view.stopped_at = view.started_at if pd.isna(ended) else ended.timestamp()
    if not view.complete:
        view.notes.append(
            f"no driver runs this sweep any more, and {view.total - view.done} trials have no"
            f" end; go on with {paths.hint('resume')}"
        )
    return view


def _ended_counts(trials: pd.DataFrame) -> dict[Status, int]:
    counts = {status: int((trials["status"] == status).sum()) for status in Status if status.ended}
    return {status: count for status, count in counts.items() if count}


def trials_summary(root: Path, name: str, width: int) -> RenderableType:
    """Show the trials of a sweep, the best first, and the commands that come next."""
    results = analysis.load(root, [name])
    trials = results.trials
    _ = results.verified  # warns of what is damaged or missing
    objectives = objectives_of(results.sweeps.iloc[0])
    metric = objectives[0]
    ordered = _best_first(trials, metric)
    shown = records(ordered.head(SHOWN_TRIALS))
    parts: list[RenderableType] = [_trials_table(shown, width, metric)]
    if len(ordered) > SHOWN_TRIALS:
        parts.append(Text(f"and {len(ordered) - SHOWN_TRIALS} more", style="dim"))
    parts += note_lines(notes(records(results.events)).get(name, Note()))
    paths = SweepPaths(root, name)
    export = paths.command("results", f"--csv --out {shlex.quote(f'{name}.csv')}")
    next_steps = (
        f"\nGo on with\n  {export}    # one row a run"
        f"\n  {paths.command('report')}    # tables and figures as HTML"
    )
    best = best_text(best_of(trials, metric))
    best.no_wrap = False
    return Group(
        *parts,
        Text(),
        best,
        *front_texts(len(front_of_trials(trials, objectives)), objectives),
        Text(next_steps, style="dim", no_wrap=True, overflow="ignore"),
    )


def _trials_table(shown: Sequence[Row], width: int, metric: Metric) -> Table:
    """Draw a line a trial; what a narrow terminal has no room for are times, then epochs, seeds."""
    endings = (_ending(trial, metric) for trial in shown)
    cells = list(zip(*endings, strict=True)) or [()] * len(TRIAL_COLUMNS)
    columns = [
        Column(title.format(metric.title), cell, rank, right=title != "status")
        for (title, rank), cell in zip(TRIAL_COLUMNS.items(), cells, strict=True)
    ]
    drawn = _that_differ([json.loads(trial["params_json"]) for trial in shown])
    # In one column first: that a parameter's name stands beside each value costs characters.
    as_text = [brief_parameters(one) for one in drawn]
    for kept in (columns, fitting([*columns, Column("parameters", as_text)], width)[:-1]):
        left = width - sum(column.width + GAP for column in kept)
        keys, values = parameter_columns(drawn, left)
        if keys != ["parameters"]:
            by_key = list(zip(*values, strict=True)) or [()] * len(keys)
            own = [
                Column(key, cell, right=key not in WORDS)
                for key, cell in zip(keys, by_key, strict=True)
            ]
            return table_of([*kept, *own], width)
    return table_of([*columns, Column("parameters", as_text)], width)


def _that_differ(drawn: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Leave out parameters that are the same in every trial: they tell none from another."""
    absent = object()
    same = {
        key
        for key in (drawn[0] if len(drawn) > 1 else ())
        if all(one.get(key, absent) == drawn[0][key] for one in drawn)
    }
    return [{key: value for key, value in one.items() if key not in same} for one in drawn]


def note_lines(note: Note) -> list[Text]:
    """Write the note and the tags of a sweep, a line each; nothing where there are none."""
    tags = f"tags: {' '.join(note.tags)}" if note.tags else ""
    return [Text(text) for text in (note.text and f"note: {note.text}", tags) if text]


def _best_first(trials: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    ascending = [not metric.largest, True]
    return trials.sort_values(["objective", "trial"], ascending=ascending, na_position="last")


def _ending(trial: Row, metric: Metric) -> list[str]:
    """Write the end of a trial in a few cells."""
    objective = _optional(trial["objective"])
    error = _optional(trial["objective_standard_error"])
    seconds = _optional(trial["train_seconds"])
    counts = [trial["seeds_done"], trial["epochs_done"]]
    return [
        str(trial["trial"]),
        str(trial["status"]),
        MISSING if objective is None else metric.printed(objective, error).removesuffix(" %"),
        *(MISSING if pd.isna(count) else str(count) for count in counts),
        MISSING if seconds is None else f"{seconds:.1f}",
    ]


def best_of(trials: pd.DataFrame, metric: Metric) -> Best | None:
    """Return the completed trial with the best objective; of two, the earlier one."""
    ended = trials[trials["objective"].notna() & (trials["status"] == Status.COMPLETED)]
    if ended.empty:
        return None
    best = _best_first(ended, metric).iloc[0]
    error = _optional(best["objective_standard_error"])
    params = json.loads(best["params_json"])
    return Best(int(best["trial"]), float(best["objective"]), error, params, metric)


def front_of_trials(trials: pd.DataFrame, objectives: Sequence[Metric]) -> dict[str, list[float]]:
    """Return how bad each configuration on the front of several objectives is, by its id."""
    if len(objectives) < 2:
        return {}
    points = {}
    for trial in records(trials[trials["status"] == Status.COMPLETED]):
        further = json.loads(trial["also_json"] or "{}")
        named = {EPOCH_SECONDS: trial["epoch_seconds"], **further}
        values = [trial["objective"], *(named.get(one.name) for one in objectives[1:])]
        known = [value for value in map(_optional, values) if value is not None]
        if len(known) == len(objectives):
            points[str(trial["config_id"])] = badness_of(known, objectives)
    return front_of(points)


def _running(results: analysis.Results, trial: Row, metric: Metric) -> RunningTrial:
    runs = results.runs
    mine = runs[runs["trial"] == trial["trial"]]
    params = json.loads(trial["params_json"])
    # Seeds train one after the other, so the last run that was begun is the current one.
    shown = RunningTrial(trial["trial"], params, seed_index=max(0, len(mine) - 1))
    current = mine[mine["status"] == Status.RUNNING]["run_id"]
    epochs = results.epochs[results.epochs["run_id"].isin(current)].sort_values("epoch")
    if not epochs.empty:
        shown.epoch = int(epochs["epoch"].iloc[-1])
    values = epochs["val_error_percent"].dropna()
    if not metric.is_error:
        metrics = results.metrics
        own = metrics["run_id"].isin(current) & (metrics["name"] == metric.name)
        values = metrics[own].sort_values("epoch")["value"].dropna()
    shown.values = [float(value) for value in values.tail(KEPT_VALUES)]
    shown.value = shown.values[-1] if shown.values else None
    return shown


def _optional(value: float | None) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
