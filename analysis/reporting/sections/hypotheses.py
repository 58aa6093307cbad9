"""The section on the hypotheses that a sweep declared: a verdict on each, with its comparisons."""

from __future__ import annotations

from analysis.paper.hypotheses import declared_before, judge_hypotheses
from analysis.paper.rules import Comparison
from analysis.paper.sentences import digits_of
from analysis.printed import interval, number, percent, stem
from analysis.reporting.marks import verdict_mark
from analysis.reporting.model import Paragraph, PrintedTable, ReportSection
from analysis.store.results import Results

NOTE = (
    "A hypothesis that was declared when runs of its arms were known is exploratory. Intervals are "
    "the repeated ones of their look. p: the smallest level of all looks at which the verdict "
    "would still be given. It stands among the sweep's hypotheses by Benjamini and Hochberg at 5 %."
)


def hypothesis_sections(results: Results, sweep: str) -> list[ReportSection]:
    """Return the section on a sweep's hypotheses, if it declared any."""
    found = judge_hypotheses(results, sweep)
    if not found:
        return []
    rows = tuple(
        (
            verdict.claim.id,
            verdict.claim.estimand,
            verdict_mark(verdict),
            "before" if declared_before(results, sweep, verdict) else "afterwards: exploratory",
            _estimate(verdict.deciding),
            number(verdict.p_value, 3),
            "yes" if verdict.stands else "no",
            verdict.ledger.text,
        )
        for verdict in found
    )
    columns = (
        *("Hypothesis", "Says", "Verdict", "Declared", "Gain (interval)"),
        *("p", "Stands", "Runs"),
    )
    caption = "1 hypothesis" if len(found) == 1 else f"{len(found)} hypotheses"
    table = PrintedTable(
        f"{stem(sweep)}-hypotheses", caption, columns, rows, frozenset(columns[4:6]), NOTE
    )
    reasons = [Paragraph(f"{verdict.claim.id}: {verdict.reason}") for verdict in found]
    title = f"Hypotheses of {sweep}"
    return [ReportSection(f"{stem(sweep)}-hypotheses", title, (table, *reasons))]


def _estimate(one: Comparison | None) -> str:
    if one is None:
        return number(None)
    return f"{interval(one.interval, digits_of(one))} at {percent(one.confidence)}"
