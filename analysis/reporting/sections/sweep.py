"""The sections on one sweep: its trials, and the figures that its design calls for."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pandas as pd

from analysis.measures.apart import apart
from analysis.measures.comparisons import surface
from analysis.measures.notes import Note, notes
from analysis.measures.rows import records
from analysis.measures.run_sets import run_set
from analysis.measures.shapes import measure
from analysis.measures.timing import timing_sweeps
from analysis.measures.trials import metric_of_sweep, runs_of_sweep, searched, trials_table
from analysis.paper.evidence import Evidence, exploratory
from analysis.printed import (
    ACTIVATIONS,
    activation_name,
    count,
    duration,
    number,
    parameter,
    short,
    stem,
    symbol,
)
from analysis.reporting import figures
from analysis.reporting.figures import Shown
from analysis.reporting.marks import STATUS_MARKS
from analysis.reporting.model import (
    Block,
    Commands,
    Paragraph,
    PrintedFigure,
    PrintedTable,
    ReportSection,
)
from analysis.statistics.deviations import cell_intervals
from analysis.statistics.importance import importances
from analysis.store.metric import VALIDATION_ERROR, Metric
from analysis.store.results import Results
from analysis.store.statuses import Status

MOST_ROWS = 30
"""Trials that the report prints; a command prints all."""


def sweep_sections(results: Results, sweep: str) -> list[ReportSection]:
    """Return the sections on a sweep's trials, on its errors and on its learning curves."""
    table = trials_table(results, sweep)
    frame, names = runs_of_sweep(results, sweep)
    frame = frame.assign(apart=apart(frame))
    searching = sweep in exploratory(results)
    title = f"Trials of {sweep}" + (" (exploratory)" if searching else "")
    sections = [
        ReportSection(f"{stem(sweep)}-trials", title, _trials(results, sweep, table, names))
    ]
    drawn: list[Block] = [*_design_figures(results, sweep, frame, names)]
    if drawn and searching and len(names) > 1:
        drawn.append(figures.parallel(f"{stem(sweep)}-parallel", table, names))
        drawn.append(_importance(sweep, table, names))
    if drawn:
        title = f"{'Parameters and error' if searching else 'Errors'} of {sweep}"
        sections.append(ReportSection(f"{stem(sweep)}-errors", title, tuple(drawn)))
    runs = results.runs[results.runs["sweep"] == sweep]
    epochs = results.table("epochs", ["val_error_percent", "learning_rate"])
    epochs = epochs[epochs["run_id"].isin(runs["run_id"]) & (epochs["sweep"] == sweep)]
    if len(epochs):
        title = f"Learning curves of {sweep}"
        best = _best_trial(table)
        curves = figures.learning_curves(f"{stem(sweep)}-curves", sweep, epochs, runs, best)
        sections.append(ReportSection(f"{stem(sweep)}-learning", title, (curves,)))
    return sections


def function_sections(results: Results, sweep: str) -> list[ReportSection]:
    """Return the sections on a sweep of a training function of the user's own."""
    table, metric = trials_table(results, sweep), metric_of_sweep(results, sweep)
    frame, names = runs_of_sweep(results, sweep)
    best = Paragraph(best_sentence(results, sweep), strong=True)
    lucky = Paragraph(
        "The best of many trials is partly lucky: expect a worse value from it on fresh seeds."
    )
    trials = _trials(results, sweep, table, names, metric)
    sections = [
        ReportSection(f"{stem(sweep)}-trials", f"Trials of {sweep}", (best, lucky, *trials))
    ]
    drawn: list[Block] = []
    if names and (frame["outcome"] == "measured").any():
        drawn.append(figures.parameters(f"{stem(sweep)}-parameters", frame, names, metric))
        if len(names) > 1:
            worse = table.assign(mean=table["mean"].map(metric.badness))
            drawn.append(_importance(sweep, worse, names))
    numbers = results.metrics
    numbers = numbers[(numbers["name"] == metric.name) & (numbers["sweep"] == sweep)]
    if numbers["value"].notna().any() and numbers["epoch"].nunique() > 1:
        runs = results.runs[results.runs["sweep"] == sweep]
        place = (f"{stem(sweep)}-curves", sweep)
        numbers = numbers[numbers["value"].notna()]
        drawn.append(figures.learning_curves(*place, numbers, runs, _best_trial(table), metric))
    if drawn:
        title = f"Parameters and {metric.name} of {sweep}"
        sections.append(ReportSection(f"{stem(sweep)}-values", title, tuple(drawn)))
    return sections


def best_sentence(results: Results, sweep: str) -> str:
    """Name the best trial of a sweep with its value and what it differs in from the others."""
    table, metric = trials_table(results, sweep), metric_of_sweep(results, sweep)
    done = table[table["status"] == Status.COMPLETED]
    if done.empty:
        return f"{sweep}: no trial has completed yet."
    best = done.iloc[0]
    _, names = runs_of_sweep(results, sweep)
    parameters = ", ".join(parameter(name, best[name]) for name in names if pd.notna(best[name]))
    error = best["standard_error"]
    value = number(best["mean"]) if metric.is_error else metric.printed(best["mean"], error)
    value = f"{value} % validation error" if metric.is_error else f"{metric.name} {value}"
    known = metric.is_error and np.isfinite(error)
    spread = f", standard error {number(error)}" if known else ""
    return (
        f"{sweep}: trial {best['trial']} is best with {value}"
        f" (mean of {count(best['n'], 'seed')}{spread})"
        + (f": {parameters}." if parameters else ".")
    )


def figure1_sections(results: Results) -> list[ReportSection]:
    """Return activation functions over epochs, as the paper's Figure 1.

    Activations with control points, in the paper's setting, stand side by side, a run each:
    PolyNeuron and PolyNeuron-R. Of a search the first run of the best trial is shown.
    """
    runs = results.runs[results.runs["status"] == Status.COMPLETED]
    if results.functions.empty or runs.empty:
        return []
    in_setting = Evidence(results).in_setting
    blocks: list[Block] = []
    for benchmark in runs["benchmark"].unique():
        chosen = in_setting[in_setting["benchmark"] == benchmark]
        together = chosen.groupby("origin")
        for place, (origin, own) in enumerate(together):
            found = [_first_shown(results, own[own["activation"] == name]) for name in ACTIVATIONS]
            splines = [shown for shown in found if shown and len(shown.snapshots)]
            if not splines:
                continue
            name = f"figure1-{str(benchmark).replace('/', '-')}" + (f"-{place}" if place else "")
            if together.ngroups > 1:  # side by side only what the same code and data trained
                blocks.append(Paragraph(f"Of {origin.printed}:"))
            blocks.append(figures.activation_functions(name, splines))
    for sweep in exploratory(results):
        best = _best_trial(trials_table(results, sweep))
        if best is None:
            continue
        shown = _first_shown(results, runs[(runs["sweep"] == sweep) & (runs["trial"] == best)])
        if shown:
            blocks.append(figures.activation_functions(f"{stem(sweep)}-functions", [shown]))
    return [ReportSection("functions", "Activation functions", tuple(blocks))] if blocks else []


def cost_sections(results: Results) -> list[ReportSection]:
    """Return the section on error against time, with a mark for each configuration."""
    runs = results.runs[results.runs["status"] == Status.COMPLETED]
    runs = runs[runs["epoch_seconds"].notna() & ~runs["sweep"].isin(timing_sweeps(results))]
    if runs.empty:
        return []
    # a run that two sweeps share counts once, one of another code or data by itself
    runs = runs.assign(apart=apart(runs, other_keys=False))
    runs = runs.drop_duplicates(["run_id", "apart"])
    if runs["config_id"].nunique() < 2:
        return []
    rows = [
        row
        for place, own in runs.groupby(["benchmark", "device"], observed=True)
        for row in _costs(place, own)
    ]
    return [ReportSection("cost", "Cost and error", (figures.cost("cost", pd.DataFrame(rows)),))]


def _costs(place: tuple[object, ...], runs: pd.DataFrame) -> list[dict[str, object]]:
    """Return a row for each configuration of one benchmark on one device."""
    groups = [group for _, group in runs.groupby(["config_id", "apart"], observed=True)]
    means = cell_intervals([g["last_val_error_percent"].to_numpy() for g in groups])
    names = searched(runs)
    return [
        {
            "benchmark": place[0],
            "device": place[1],
            "activation": group["activation"].iloc[0],
            "label": _label(group.iloc[0], names),
            "error": mean.estimate,
            "error_half": mean.high - mean.estimate if np.isfinite(mean.high) else 0.0,
            "epoch_seconds": group["epoch_seconds"].median(),
            "n": len(group),
            "config_id": group["config_id"].iloc[0],
            "run_set": run_set(group["run_id"].astype(str)),
        }
        for group, mean in zip(groups, means, strict=True)
    ]


def _trials(
    results: Results,
    sweep: str,
    table: pd.DataFrame,
    names: list[str],
    metric: Metric = VALIDATION_ERROR,
) -> tuple[Block, ...]:
    rows = tuple(
        (
            str(row["trial"]),
            STATUS_MARKS[row["status"]],
            _with_error(row["mean"], row["standard_error"], metric),
            f"{row['n']} of {row['runs']}",
            *(activation_name(row[n]) if n == "activation" else short(row[n]) for n in names),
            duration(row["train_seconds"]),
        )
        for row in records(table.head(MOST_ROWS))
    )
    labels = tuple(map(symbol, names))
    value = "Error %" if metric.is_error else metric.name
    columns = ("Trial", "Status", f"{value} (± standard error)", "Seeds", *labels, "Training")
    words = {"Trial", "Status", "Activation", "Initialisation", "Scope"}
    note = "± is the standard error of a trial's own seeds, as in the terminal."
    hidden = len(table) - len(rows)
    note += f" {count(hidden, 'further trial')} not shown." if hidden else ""
    caption = f"{count(len(table), 'trial')}, best first"
    question = _question(results, sweep)
    name, file = shlex.quote(sweep), shlex.quote(f"{sweep}.csv")
    return (
        *([Paragraph(question)] if question else []),
        *_note(results, sweep),
        PrintedTable(
            f"{stem(sweep)}-trials", caption, columns, rows, frozenset(columns) - words, note
        ),
        Paragraph("One row per run, for a spreadsheet or pandas:"),
        Commands((f"sweeps results {name} --csv --out {file}",)),
    )


def _with_error(mean: float, standard_error: float, metric: Metric) -> str:
    if not metric.is_error:
        return metric.printed(mean, standard_error) if np.isfinite(mean) else number(mean)
    if not np.isfinite(standard_error):
        return number(mean)
    return f"{number(mean)} ± {number(standard_error)}"


def _best_trial(table: pd.DataFrame) -> int | None:
    """Return the first completed trial of a `trials_table`."""
    done = table.loc[table["status"] == Status.COMPLETED, "trial"]
    return int(done.iloc[0]) if len(done) else None


def _question(results: Results, sweep: str) -> str:
    """Return the question that the sweep's specification states, if any."""
    row = results.sweeps[results.sweeps["sweep"] == sweep]
    text = row["spec_json"].iloc[0] if len(row) else None
    question = json.loads(text or "{}").get("question") if isinstance(text, str) else None
    return str(question or "")


def _note(results: Results, sweep: str) -> list[Paragraph]:
    """Return the note and the tags that somebody wrote on the sweep."""
    own = results.events[results.events["sweep"] == sweep]
    found = notes(records(own)).get(sweep, Note())
    tags = f"Tags: {', '.join(found.tags)}" if found.tags else ""
    return [Paragraph(text) for text in (found.text, tags) if text]


def _design_figures(
    results: Results, sweep: str, frame: pd.DataFrame, names: list[str]
) -> list[PrintedFigure]:
    """Return the figures for the columns in which a sweep's runs differ."""
    if not (frame["outcome"] == "measured").any() or not names:
        return []
    row = results.sweeps[results.sweeps["sweep"] == sweep].iloc[0]
    # a map or a response over rates needs every cell, which a grid alone has
    grid = row["search"] == "grid"
    if grid and set(names) == {"s", "k"}:
        return [figures.error_map(f"{stem(sweep)}-map", surface(frame, "s", "k"), "s", "k")]
    if grid and set(names) == {"lambda_sum", "lambda_prod"}:
        return _penalty_maps(results, sweep, frame)
    if grid and set(names) == {"activation", "learning_rate"}:
        return [figures.rate_response(f"{stem(sweep)}-rates", frame)]
    if names == ["activation"]:
        # one run in another setting would make the paper's mark misleading
        with_paper = set(frame["run_id"]) <= set(Evidence(results).in_setting["run_id"])
        return [figures.seeds_strip(f"{stem(sweep)}-seeds", frame, with_paper)]
    return [figures.parameters(f"{stem(sweep)}-parameters", frame, names)]


def _importance(sweep: str, table: pd.DataFrame, names: list[str]) -> Block:
    complete = table[table["status"] == Status.COMPLETED]
    try:
        shares = importances(complete, names)
    except (ModuleNotFoundError, ValueError) as reason:
        return Paragraph(f"No importance of parameters: {reason}.")
    return figures.importance(f"{stem(sweep)}-importance", shares, len(complete))


def _penalty_maps(results: Results, sweep: str, frame: pd.DataFrame) -> list[PrintedFigure]:
    x, y = "lambda_prod", "lambda_sum"
    maps = [figures.error_map(f"{stem(sweep)}-map", surface(frame, x, y), x, y)]
    runs = results.runs[results.runs["sweep"] == sweep]
    shrunk = measure(results, runs, "log_span")
    if shrunk is not None and shrunk.notna().any():
        # ratios average as logarithms: 2 and 1/2 make 1
        groups = runs.assign(log_ratio=shrunk).groupby([x, y])["log_ratio"]
        means = groups.agg(["mean", "count"]).reset_index()
        ratios = means.assign(ratio=np.exp(means["mean"]), n=means["count"])[[x, y, "ratio", "n"]]
        maps.append(
            figures.shrinkage_map(f"{stem(sweep)}-shrinkage", ratios[ratios["n"] > 0], x, y)
        )
    return maps


def _first_shown(results: Results, runs: pd.DataFrame) -> Shown | None:
    """Return the functions of the first completed run that has any."""
    for run in records(runs[runs["status"] == Status.COMPLETED].sort_values("seed")):
        # a run that another sweep reused has its rows twice
        rows, points = (
            table[(table["run_id"] == run["run_id"]) & (table["sweep"] == run["sweep"])]
            for table in (results.functions, results.snapshots)
        )
        if len(rows):
            title = f"{activation_name(run['activation'])} of run {run['run_id']}"
            return Shown(title, rows, points)
    return None


def _label(row: pd.Series, names: list[str]) -> str:
    others = [name for name in names if name != "activation" and pd.notna(row[name])]
    settings = [parameter(name, row[name]) for name in others]
    return ", ".join([activation_name(row["activation"]), *settings, *filter(None, [row["apart"]])])
