"""The report's first section: the best trial, its validation, and counts of all runs."""

from __future__ import annotations

from analysis.paper.claims import paper
from analysis.paper.evidence import exploratory
from analysis.printed import duration
from analysis.reporting.marks import STATUS_MARKS
from analysis.reporting.model import Block, Paragraph, PrintedTable, ReportSection
from analysis.reporting.sections.sweep import best_sentence
from analysis.store.results import Results


def glance(results: Results) -> ReportSection:
    """Return the section that names the best trial of each search and counts all runs."""
    blocks: list[Block] = []
    searches = exploratory(results)
    for sweep in searches:
        blocks.append(Paragraph(best_sentence(results, sweep), strong=True))
        blocks.append(Paragraph(_validation_sentence(results, sweep)))
    blocks.append(counts_table(results))
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


def counts_table(results: Results) -> PrintedTable:
    """Return the trials and runs of each sweep, by status."""
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
