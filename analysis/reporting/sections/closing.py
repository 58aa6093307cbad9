"""The report's last sections: failed runs, and where every number comes from."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from analysis.measures.repeatability import repeated
from analysis.measures.rows import records
from analysis.measures.run_sets import run_set, runs_sha256
from analysis.measures.values import CONFIGURATION
from analysis.paper.claims import paper
from analysis.paper.table1 import table1
from analysis.paper.verdicts import Verdict
from analysis.printed import MISSING, count, number
from analysis.reporting.drawing import csv
from analysis.reporting.marks import STATUS_MARKS
from analysis.reporting.model import Attachment, Block, Paragraph, PrintedTable, ReportSection
from analysis.store.contract import Row
from analysis.store.results import Results
from analysis.store.statuses import Status

MOST_ROWS = 30
"""Failed runs that the report prints."""

MOST_RUNS = 5000
"""Runs that the report carries as CSV; more would make the page too large."""


def failures(results: Results) -> ReportSection:
    """Return the section with every ended run that has no final error, and every damaged part."""
    runs = results.runs
    failed = runs[~runs["status"].isin([Status.COMPLETED, Status.RUNNING])]
    blocks: list[Block] = []
    if failed.empty:
        blocks.append(Paragraph("No run failed or was stopped early."))
    else:
        rows = tuple(
            (
                str(row["sweep"]),
                str(row["trial"]),
                str(row["seed"]),
                STATUS_MARKS[row["status"]],
                _epochs(row),
                # a run whose worker was lost ends without a reason, which reads as NaN
                (row["stop_reason"] if isinstance(row["stop_reason"], str) else "") or MISSING,
            )
            for row in records(failed.head(MOST_ROWS))
        )
        columns = ("Sweep", "Trial", "Seed", "Status", "Epochs", "Reason")
        note = "These runs have no final error: they are counted and never averaged."
        hidden = len(failed) - len(rows)
        note += f" {count(hidden, 'further run')} not shown." if hidden else ""
        numeric = frozenset(("Trial", "Seed", "Epochs"))
        caption = "Runs without a final error"
        blocks.append(PrintedTable("failures", caption, columns, rows, numeric, note))
    # rows may be missing from every number above: this must not be overlooked
    for part in results.damaged:
        what = "Damaged and left out" if part.left_out else "Incomplete"
        blocks.append(Paragraph(f"{what}: {part.path} ({part.reason})", strong=True))
    return ReportSection("failures", "Failed and stopped runs", tuple(blocks))


def _epochs(row: Row) -> str:
    planned = row["epochs_planned"]
    return f"{row['epochs_done']}" + ("" if pd.isna(planned) else f" of {planned}")


def methods(results: Results, networks: Results, found: Sequence[Verdict]) -> ReportSection:
    """Return the section on how numbers were made, with the runs that they stand on.

    Args:
        results: all.
        networks: those of networks that this program trains.
        found: verdicts on these.
    """
    rows = []
    for row in records(results.sweeps):
        versions = json.loads(row["versions_json"] or "{}")
        installed = ", ".join(f"{name} {version}" for name, version in versions.items())
        ids = results.runs.loc[results.runs["sweep"] == row["sweep"], "run_id"].astype(str)
        facts = {
            "purpose": row["purpose"],
            "search": row["search"],
            "early stopping": row["early_stopping"],
            "objective": row["metric"],
            "validation": row["validation"],
            "epochs": row["epochs_planned"],
            "seeds a trial": row["seeds"],
            "code": row["code_version"],
            "versions": installed or MISSING,
            "specification sha256": row["spec_sha256"],
            "runs sha256": runs_sha256(ids),
        }
        shown = {name: MISSING if pd.isna(value) else str(value) for name, value in facts.items()}
        rows += [(str(row["sweep"]), name, value) for name, value in shown.items()]
    data = results.runs["data_sha256"].dropna().astype(str).unique()
    rows += [("all", "data sha256", value) for value in sorted(data)]
    rows.append(("all", "claims sha256", paper().sha256))
    caption = "Where the numbers come from"
    table = PrintedTable("provenance", caption, ("Sweep", "What", "Value"), tuple(rows))
    how = Paragraph(
        "Only completed runs have a final error. Intervals are Student's t at 95 %; the unit is "
        "the run, never the epoch or the activation function."
    )
    blocks = (how, _repeatability(results), table, _runs(results), _run_sets(networks, found))
    return ReportSection("methods", "Methods and provenance", blocks)


def _repeatability(results: Results) -> Paragraph:
    """Return whether trainings that were run more than once gave the same error again."""
    found = repeated(results.runs)
    if found.empty:
        return Paragraph("No run was trained twice, so that repeatability is not shown.")
    differ = found[found["spread"] > 0]
    equal = f"{len(found) - len(differ)} gave the same error to the last digit"
    text = f"Repeatability: of {count(len(found), 'run')} trained more than once, {equal}"
    if len(differ):
        text += f", {len(differ)} differed by up to {number(differ['spread'].max())} points"
        several = int((differ["devices"] > 1).sum())
        text += f" ({several} of them between devices)" if several else ""
    return Paragraph(f"{text}. In every number above such a run counts once.")


def _run_sets(results: Results, found: Sequence[Verdict]) -> Attachment:
    """Return the runs of every set that a table names."""
    sets: dict[str, tuple[str, ...]] = {}
    for verdict in found:
        for ids in (verdict.run_ids, *(one.run_ids for one in verdict.comparisons)):
            sets[run_set(ids)] = ids
    if found:  # there are runs of networks
        sets |= {run_set(ids): ids for ids in table1(results)["run_ids"]}
    rows = [
        {"run_set": name, "runs_sha256": runs_sha256(ids), "run_ids": " ".join(ids)}
        for name, ids in sets.items()
        if ids
    ]
    frame = pd.DataFrame(rows, columns=["run_set", "runs_sha256", "run_ids"])
    caption = f"The runs behind each of {count(len(rows), 'run set')}"
    return Attachment("run-sets", caption, csv(frame))


def _runs(results: Results) -> Attachment:
    columns = ["sweep", "run_id", "trial", "seed", "benchmark", *CONFIGURATION]
    columns += ["status", "epochs_done", "last_val_error_percent", "best_val_error_percent"]
    columns += ["metric_value"] if results.runs["metric_value"].notna().any() else []
    runs = results.runs[columns]
    caption = f"All {count(len(runs), 'run')}, with the ids that tables and figures refer to"
    if len(runs) > MOST_RUNS:
        caption = f"The first {MOST_RUNS:,} of {count(len(runs), 'run')}"
    return Attachment("runs", caption, csv(runs.head(MOST_RUNS)))
