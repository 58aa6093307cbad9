"""The report's first section: what ran, and what it comes to."""

from __future__ import annotations

import math

import pandas as pd

from analysis.printed import BENCHMARKS, SYMBOLS, count, number, seconds, short
from analysis.reporting.model import Block, Section, Table, Text
from analysis.reporting.tables import searched, trials_table
from analysis.statistics.intervals import Interval
from analysis.store.results import Results

STATUS_MARKS = {
    "completed": "✓ completed",
    "pruned": "○ pruned",
    "diverged": "✕ diverged",
    "error": "✕ error",
    "interrupted": "○ interrupted",
    "running": "… running",
}


def glance(results: Results) -> Section:
    """Say which trial is best, how it was validated, and what ran."""
    blocks: list[Block] = []
    searches = exploratory(results)
    for sweep in searches:
        blocks.append(Text(_best_sentence(results, sweep), strong=True))
        blocks.append(Text(_validation_sentence(results, sweep)))
    blocks.append(_counts_table(results))
    if len(searches) == results.runs["sweep"].nunique():
        blocks.append(
            Text(
                "A search shows where to look. Whether a claim of the paper holds is decided "
                "only by confirmatory sweeps, whose configurations and seeds are fixed before "
                "the first result: table1_lenet5, table1_resnet20, ablation_sk, ablation_lambda, "
                "lr_sensitivity and init_stability."
            )
        )
    return Section("glance", "At a glance", tuple(blocks))


def exploratory(results: Results) -> list[str]:
    """Name the sweeps with runs that are not confirmatory."""
    purpose = results.sweeps.set_index("sweep")["purpose"].astype(str)
    present = results.runs["sweep"].astype(str).unique()
    return [name for name in present if purpose.get(name) != "confirmatory"]


def _best_sentence(results: Results, sweep: str) -> str:
    table = trials_table(results, sweep)
    done = table[table["status"] == "completed"]
    if done.empty:
        return f"{sweep}: no trial has completed yet."
    best = done.iloc[0]
    ours = Interval(best["mean"], best["low"], best["high"])
    parameters = ", ".join(
        f"{SYMBOLS.get(name, name).lower()} = {short(best[name])}"
        for name in searched(results.runs[results.runs["sweep"] == sweep])
        if pd.notna(best[name])
    )
    spread = f", 95 % interval {number(ours.low)} to {number(ours.high)}"
    return (
        f"{sweep}: trial {best['trial']} is best with {number(ours.estimate)} % validation error "
        f"(mean of {count(best['n'], 'seed')}{spread if math.isfinite(ours.low) else ''})"
        + (f": {parameters}." if parameters else ".")
    )


def _validation_sentence(results: Results, sweep: str) -> str:
    row = results.sweeps.set_index("sweep").loc[sweep]
    held_out = row["validation"] == "held_out"
    images = (
        "on images held out of the training set"
        if held_out
        else "on the official test set, as in the paper"
        if row["benchmark"] in BENCHMARKS
        else "on the data's test images"
    )
    return (
        f"Errors are measured {images}. The best of many trials is partly lucky: expect a larger "
        "error from it on fresh seeds" + ("." if held_out else " and on fresh images.")
    )


def _counts_table(results: Results) -> Table:
    rows = []
    for sweep, runs in results.runs.groupby("sweep", observed=True):
        statuses = runs["status"].value_counts()
        rows.append(
            (
                str(sweep),
                f"{runs['trial'].nunique():,}",
                f"{len(runs):,}",
                *(f"{statuses.get(status, 0):,}" for status in STATUS_MARKS),
                seconds(float(runs["train_seconds"].sum())),
            )
        )
    columns = ("Sweep", "Trials", "Runs", *map(str.capitalize, STATUS_MARKS), "Training")
    return Table("counts", "What ran", columns, tuple(rows), frozenset(columns[1:]))
