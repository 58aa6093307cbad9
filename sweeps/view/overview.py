"""What a store says of its sweeps: the live view rebuilt, the list, the table of trials."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

import analysis
from sweeps.spec.reading import parse_spec
from sweeps.store.locks import driver_alive
from sweeps.store.paths import SweepPaths
from sweeps.view.live_view import SIDES, best_text, interval_text, parameter_columns
from sweeps.view.progress import KEPT_ERRORS, KEPT_TROUBLES, TROUBLE, Best, RunningTrial, SweepView

SHOWN_TRIALS = 40


def current_view(root: Path, name: str) -> SweepView:
    """Show what the driver of a sweep shows; where there is none, what its store says."""
    paths = SweepPaths(root, name)
    if driver_alive(paths):
        with suppress(FileNotFoundError):
            return SweepView.from_json(paths.progress.read_text("utf-8"))
    return sweep_view(root, name)


def sweep_view(root: Path, name: str) -> SweepView:
    """Rebuild the view of a sweep from its store."""
    results = analysis.load(root, [name])
    sweep = results.sweeps.iloc[0]
    view = SweepView(
        name=name,
        total=int(sweep["trials_planned"]),
        seeds=int(sweep["seeds"]),
        epochs=int(sweep["epochs_planned"]),
        subject=parse_spec(json.loads(sweep["spec_json"])).subject,
        started_at=sweep["created_at"].timestamp(),
    )
    trials = results.trials
    for status, count in trials["status"].value_counts().items():
        if status != "running" and count:
            view.counts[str(status)] = int(count)
    view.best = _best(trials)
    view.troubles = [
        f"trial {trial['trial']} {trial['status']}: {trial['error'] or 'no reason given'}"
        for trial in rows(trials[trials["status"].isin(TROUBLE)].tail(KEPT_TROUBLES))
    ]
    running = rows(trials[trials["status"] == "running"])
    if driver_alive(SweepPaths(root, name)):
        view.running = {trial["trial"]: _running(results, trial) for trial in running}
    else:
        lost = len(running) + view.counts.pop("interrupted", 0)
        view.counts |= {"interrupted": lost} if lost else {}
        ended = trials["ended_at"].max()
        view.stopped_at = view.started_at if pd.isna(ended) else ended.timestamp()
        if not view.complete:
            view.notes.append(
                f"no driver runs this sweep any more, and {view.total - view.done} trials have no"
                f" end; go on with `sweeps resume {name}`"
            )
    return view


def sweeps_table(root: Path) -> RenderableType:
    """List the sweeps under a root, the newest last."""
    results = analysis.load(root)
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for title in ("sweep", "state", "benchmark", "purpose", "trials", "best", "started (UTC)"):
        table.add_column(title, no_wrap=True)
    for sweep in rows(results.sweeps.sort_values("created_at")):
        trials = results.trials[results.trials["sweep"] == sweep["sweep"]]
        done = int((~trials["status"].isin(["running", "interrupted"])).sum())
        best = _best(trials)
        complete = done >= sweep["trials_planned"]
        alive = driver_alive(SweepPaths(root, sweep["sweep"]))
        table.add_row(
            sweep["sweep"],
            "running" if alive else "complete" if complete else "stopped",
            sweep["benchmark"],
            sweep["purpose"],
            f"{done}/{sweep['trials_planned']}",
            "–" if best is None else interval_text(best.objective, best.standard_error),
            f"{sweep['created_at']:%Y-%m-%d %H:%M}",
        )
    return table


def trials_summary(root: Path, name: str, width: int) -> RenderableType:
    """Show the trials of a sweep, the best first, and what can be done next."""
    trials = analysis.load(root, [name]).trials
    ordered = trials.sort_values(["objective", "trial"], na_position="last")
    shown = rows(ordered.head(SHOWN_TRIALS))
    cells = [_ending(trial) for trial in shown]
    table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    titles = ("trial", "status", "error %", "seeds", "epochs", "train s")
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    for title in titles:
        table.add_column(title, justify=SIDES[title != "status"], no_wrap=True)
    left = width - sum(2 + one for one in widths)
    drawn = [json.loads(trial["params_json"]) for trial in shown]
    keys, values = parameter_columns(drawn, left)
    for key in keys:
        table.add_column(key, justify=SIDES[len(keys) > 1], no_wrap=True)
    for ending, params in zip(cells, values, strict=True):
        table.add_row(*ending, *params)
    parts: list[RenderableType] = [table]
    if len(ordered) > SHOWN_TRIALS:
        parts.append(Text(f"and {len(ordered) - SHOWN_TRIALS} more", style="dim"))
    where = "" if root == Path("results") else f" --root {root}"
    next_steps = (
        f"\nGo on with\n  sweeps results {name} --csv{where}    (one row a run)"
        f"\n  sweeps report {name}{where}    (tables and figures as HTML)"
    )
    return Group(
        *parts, Text(), best_text(_best(trials)), Text(next_steps, style="dim", no_wrap=True)
    )


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """List the rows of a frame by column name."""
    return [
        {str(column): value for column, value in row.items()} for row in frame.to_dict("records")
    ]


def _ending(trial: dict[str, Any]) -> list[str]:
    """Say in a few cells how a trial ended."""
    objective = _optional(trial["objective"])
    error = _optional(trial["objective_standard_error"])
    seconds = _optional(trial["train_seconds"])
    counts = [trial["seeds_done"], trial["epochs_done"]]
    return [
        str(trial["trial"]),
        str(trial["status"]),
        "–" if objective is None else interval_text(objective, error).removesuffix(" %"),
        *("–" if pd.isna(count) else str(count) for count in counts),
        "–" if seconds is None else f"{seconds:.1f}",
    ]


def _best(trials: pd.DataFrame) -> Best | None:
    ended = trials[trials["objective"].notna() & (trials["status"] == "completed")]
    if ended.empty:
        return None
    best = ended.sort_values(["objective", "trial"]).iloc[0]
    error = _optional(best["objective_standard_error"])
    return Best(
        int(best["trial"]), float(best["objective"]), error, json.loads(best["params_json"])
    )


def _running(results: analysis.Results, trial: dict[str, Any]) -> RunningTrial:
    runs = results.runs
    mine = runs[runs["trial"] == trial["trial"]]
    params = json.loads(trial["params_json"])
    shown = RunningTrial(trial["trial"], params, run=max(0, len(mine) - 1))
    current = mine[mine["status"] == "running"]["run_id"]
    epochs = results.epochs[results.epochs["run_id"].isin(current)]
    if not epochs.empty:
        last = epochs.sort_values("epoch").iloc[-1]
        shown.epoch = int(last["epoch"])
        shown.val_error_percent = float(last["val_error_percent"])
        errors = epochs.sort_values("epoch")["val_error_percent"].dropna()
        shown.errors = [float(error) for error in errors.tail(KEPT_ERRORS)]
    return shown


def _optional(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
