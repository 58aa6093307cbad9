"""The sections of a report, in their order."""

from __future__ import annotations

from analysis.paper.verdicts import judge
from analysis.printed import benchmark_name, count
from analysis.reporting.model import Document, Paragraph, ReportSection
from analysis.reporting.sections.claims import (
    claim_sections,
    forest_section,
    table1_section,
    table1_sections,
)
from analysis.reporting.sections.closing import failures, methods
from analysis.reporting.sections.glance import glance
from analysis.reporting.sections.sweep import cost_sections, figure1_sections, sweep_sections
from analysis.store.results import Results


def document_of(results: Results) -> Document:
    """Return the report on everything in the store."""
    title = ", ".join(results.names)
    if results.runs.empty:
        waiting = Paragraph("No run has begun yet: come back when the first epochs are done.")
        return Document(title, "PolyNeuron sweeps", (ReportSection("runs", "Runs", (waiting,)),))
    found = judge(results)
    sections = [
        *table1_section(results),
        *forest_section(results, found),
        *figure1_sections(results),
        glance(results),
        *claim_sections(results, found),
        *table1_sections(results),
    ]
    for sweep in results.runs["sweep"].astype(str).unique():
        sections += sweep_sections(results, sweep)
    sections += [
        *cost_sections(results),
        failures(results),
        methods(results, found),
    ]
    return Document(title, _subtitle(results), tuple(sections))


def _subtitle(results: Results) -> str:
    runs = results.runs
    benchmarks = " and ".join(benchmark_name(b) for b in runs["benchmark"].unique())
    trials = count(len(runs[["sweep", "trial"]].drop_duplicates()), "trial")
    return f"{benchmarks}: {trials}, {count(len(runs), 'run')}"
