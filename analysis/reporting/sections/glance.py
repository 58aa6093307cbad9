"""The report's first section: the best trial, its validation, and counts of all runs."""

from __future__ import annotations

import math

import pandas as pd

from analysis.measures.trials import searched, trials_table
from analysis.paper.claims import paper
from analysis.paper.evidence import exploratory
from analysis.printed import count, duration, number, parameter
from analysis.reporting.marks import STATUS_MARKS
from analysis.reporting.model import Block, Paragraph, PrintedTable, ReportSection
from analysis.store.results import Results
from analysis.store.statuses import Status


def glance(results: Results) -> ReportSection:
    """Return the section that names the best trial of each search and counts all runs."""
    blocks: list[Block] = []
    searches = exploratory(results)
    for sweep in searches:
        blocks.append(Paragraph(_best_sentence(results, sweep), strong=True))
        blocks.append(Paragraph(_validation_sentence(results, sweep)))
    blocks.append(_counts_table(results))
    of_the_paper = results.sweeps["benchmark"].isin(paper().benchmarks).any()
    if of_the_paper and len(searches) == results.runs["sweep"].nunique():
        *names, last = paper().confirmatory_sweeps
        blocks.append(
            Paragraph(
                "A search shows where to look. Only confirmatory sweeps, whose configurations and "
                "seeds are fixed before the first result, decide on a claim of the paper: "
                f"{', '.join(names)} and {last}."
            )
        )
    return ReportSection("glance", "At a glance", tuple(blocks))


def _best_sentence(results: Results, sweep: str) -> str:
    table = trials_table(results, sweep)
    done = table[table["status"] == Status.COMPLETED]
    if done.empty:
        return f"{sweep}: no trial has completed yet."
    best = done.iloc[0]
    names = searched(results.runs[results.runs["sweep"] == sweep])
    parameters = ", ".join(parameter(name, best[name]) for name in names if pd.notna(best[name]))
    error = best["standard_error"]
    spread = f", standard error {number(error)}" if math.isfinite(error) else ""
    return (
        f"{sweep}: trial {best['trial']} is best with {number(best['mean'])} % validation error "
        f"(mean of {count(best['n'], 'seed')}{spread})"
        + (f": {parameters}." if parameters else ".")
    )


def _validation_sentence(results: Results, sweep: str) -> str:
    row = results.sweeps.set_index("sweep").loc[sweep]
    held_out = row["validation"] == "held_out"
    images = (
        "on images held out of the training set"
        if held_out
        else "on the official test set, as in the paper"
        if row["benchmark"] in paper().benchmarks
        else "on the data's test images"
    )
    return (
        f"Errors are measured {images}. The best of many trials is partly lucky: expect a larger "
        "error from it on fresh seeds" + ("." if held_out else " and on fresh images.")
    )


def _counts_table(results: Results) -> PrintedTable:
    rows = []
    for sweep, runs in results.runs.groupby("sweep", observed=True):
        statuses = runs["status"].value_counts()
        rows.append(
            (
                str(sweep),
                f"{runs['trial'].nunique():,}",
                f"{len(runs):,}",
                *(f"{statuses.get(status, 0):,}" for status in STATUS_MARKS),
                duration(float(runs["train_seconds"].sum())),
            )
        )
    columns = ("Sweep", "Trials", "Runs", *map(str.capitalize, STATUS_MARKS), "Training")
    return PrintedTable("counts", "What ran", columns, tuple(rows), frozenset(columns[1:]))
