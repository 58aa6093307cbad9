"""The sections of a report, in their order."""

from __future__ import annotations

from analysis.measures.timing import timing_sweeps
from analysis.measures.values import function_sweeps
from analysis.paper.verdicts import Verdict, judge
from analysis.printed import benchmark_name, count
from analysis.reporting.model import Document, Paragraph, ReportSection
from analysis.reporting.sections.claims import (
    claim_sections,
    forest_section,
    table1_section,
    table1_sections,
)
from analysis.reporting.sections.closing import failures, methods
from analysis.reporting.sections.front import front_sections
from analysis.reporting.sections.glance import counts_table, glance
from analysis.reporting.sections.hypotheses import hypothesis_sections
from analysis.reporting.sections.sweep import (
    cost_sections,
    figure1_sections,
    function_sections,
    sweep_sections,
)
from analysis.reporting.sections.times import times_sections
from analysis.store.results import Results


def document_of(results: Results) -> Document:
    """Return the report on everything in the store."""
    title = ", ".join(results.names)
    if results.runs.empty:
        waiting = Paragraph("No run has begun yet: come back when the first epochs are done.")
        return Document(title, "PolyNeuron sweeps", (ReportSection("runs", "Runs", (waiting,)),))
    own = function_sweeps(results)
    built_in = [name for name in results.names if name not in own]
    ours = results.only(built_in) if own else results
    found, sections = _of_networks(ours) if (built_in or not own) and len(ours.runs) else ([], [])
    if not sections:
        sections.append(ReportSection("glance", "At a glance", (counts_table(results),)))
    for sweep in own:
        theirs = results.only([sweep])
        if len(theirs.runs):
            sections += hypothesis_sections(theirs, sweep)
            sections += [*function_sections(theirs, sweep), *front_sections(theirs, sweep)]
    sections += [failures(results), methods(results, ours, found)]
    return Document(title, _subtitle(results), tuple(sections))


def _of_networks(results: Results) -> tuple[list[Verdict], list[ReportSection]]:
    """Return the verdicts and sections on sweeps of networks that this program trains."""
    found = judge(results)
    sections = [
        *table1_section(results),
        *forest_section(results, found),
        *figure1_sections(results),
        glance(results),
        *claim_sections(results, found),
        *table1_sections(results),
    ]
    timing = timing_sweeps(results)
    for sweep in results.runs["sweep"].astype(str).unique():
        about = times_sections if sweep in timing else sweep_sections
        sections += [*hypothesis_sections(results, sweep), *about(results, sweep)]
        sections += front_sections(results, sweep)
    return found, [*sections, *cost_sections(results)]


def _subtitle(results: Results) -> str:
    runs = results.runs
    benchmarks = " and ".join(benchmark_name(b) for b in runs["benchmark"].unique())
    trials = count(len(runs[["sweep", "trial"]].drop_duplicates()), "trial")
    return f"{benchmarks}: {trials}, {count(len(runs), 'run')}"
