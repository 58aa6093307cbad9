"""The sections on the paper: verdicts on its claims, and its Table 1 beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.measures.origins import Origin
from analysis.measures.rows import records
from analysis.measures.run_sets import run_set
from analysis.paper.claims import paper
from analysis.paper.evidence import Evidence, exploratory
from analysis.paper.table1 import seed_correlations, table1
from analysis.paper.verdicts import Verdict
from analysis.paper.words import Word
from analysis.printed import MISSING, activation_name, benchmark_name, count, interval, number
from analysis.reporting import figures
from analysis.reporting.marks import VERDICT_MARKS, yes_or_no
from analysis.reporting.model import Paragraph, PrintedTable, ReportSection
from analysis.statistics.intervals import Interval
from analysis.store.results import Results

UNITS = {"points": "points", "ratio": "ratio", "rate": "rate", "": "mean"}


def claim_sections(results: Results, found: Sequence[Verdict]) -> list[ReportSection]:
    """Return the verdicts and the comparisons behind them; nothing if only searches ran."""
    if len(exploratory(results)) == results.runs["sweep"].nunique():
        return []
    tested = [verdict for verdict in found if verdict.word != Word.NOT_TESTED]
    counts = ", ".join(f"{sum(v.word == word for v in found)} {word}" for word in VERDICT_MARKS)
    # the verdicts that say something come first
    shown = [*tested, *(verdict for verdict in found if verdict not in tested)]
    rows = tuple(
        (
            VERDICT_MARKS[v.word],
            f"“{v.claim.quote}”",
            v.reason,
            v.ledger.text if v.ledger.planned else MISSING,
            run_set(v.run_ids),
        )
        for v in shown
    )
    note = (
        "A claim holds or falls by a rule and a margin that were fixed before the runs "
        f"(claims.toml, sha256 {paper().sha256[:12]}). Only runs of confirmatory sweeps in the "
        "paper's setting count. Not decided means that these runs cannot tell. Intervals are "
        "about this test set: on another test set of its size, gaps would shift a little for all "
        "seeds alike. A run set is named by the hash of its run ids, which Methods lists."
    )
    columns = ("Verdict", "Claim", "Why", "Runs", "Run set")
    table = PrintedTable("verdicts", f"{len(found)} claims: {counts}", columns, rows)
    title = "Verdicts on the paper's claims"
    sections = [ReportSection("verdicts", title, (table, Paragraph(note), *_kept_apart(results)))]
    if any(verdict.comparisons for verdict in found):
        blocks = (figures.forest("forest", found), _comparisons(found))
        sections.append(ReportSection("comparisons", "Comparisons behind the verdicts", blocks))
    return sections


def _kept_apart(results: Results) -> list[Paragraph]:
    """Return which runs stand in no verdict, for a setting that is not the paper's."""
    evidence = Evidence(results)
    return [
        Paragraph(f"Kept apart on {benchmark_name(name)}: {'. '.join(sentences)}.")
        for name in paper().benchmarks
        if (
            sentences := [
                f"{count(n, 'run')} with {how}" for how, n in evidence.kept_apart(name).items()
            ]
        )
    ]


def _comparisons(found: Sequence[Verdict]) -> PrintedTable:
    """Return every comparison beside its threshold and its runs."""
    rows = tuple(
        (
            verdict.claim.id.replace("_", " "),
            f"{benchmark_name(one.benchmark)}, {one.name}",
            UNITS[one.unit],
            interval(one.interval, 3 if one.unit == "" else 2),
            number(one.threshold),
            yes_or_no(one.supports),
            " / ".join(str(n) for n in one.runs if n),
            run_set(one.run_ids),
        )
        for verdict in found
        for one in verdict.comparisons
    )
    columns = (
        "Claim",
        "Comparison",
        "Unit",
        "Estimate (95 % interval)",
        "Threshold",
        "Bears it out",
        "Runs",
        "Run set",
    )
    caption = f"All {len(rows)} comparisons"
    return PrintedTable("comparisons", caption, columns, rows, frozenset(columns[3:5]))


def table1_sections(results: Results) -> list[ReportSection]:
    """Return Table 1 for the benchmarks that have runs in the paper's setting."""
    frame = table1(results)
    frame = frame[frame.groupby("benchmark")["n"].transform("sum") > 0]
    if frame.empty:
        return []
    several = frame.groupby(["benchmark", "activation"])["n"].transform("size") > 1
    rows = tuple(
        (
            benchmark_name(row["benchmark"]),
            activation_name(row["activation"]) + (f" ({_origin(row)})" if apart else ""),
            number(row["paper_error_percent"]),
            interval(Interval(row["mean"], row["low"], row["high"])),
            number(row["sd"], 3),
            str(row["n"]),
            str(row["n_diverged"] + row["n_missing"] + row["n_conflict"]),
            _signed(row["difference"]),
            MISSING if pd.isna(row["within_tolerance"]) else yes_or_no(row["within_tolerance"]),
            run_set(row["run_ids"]),
        )
        for row, apart in zip(records(frame), several, strict=True)
    )
    columns = (
        "Benchmark",
        "Activation",
        "Paper %",
        "Ours % (95 % interval)",
        "Sd",
        "Runs",
        "Failed",
        "Ours − paper",
        "Within tolerance",
        "Run set",
    )
    tolerances = ", ".join(
        f"±{number(t)} points on {benchmark_name(b)}" for b, t in paper().tolerance.items()
    )
    note = (
        "Mean validation error after the last epoch, in the paper's setting. The rows of ReLU, "
        "APL and PolyNeuron are placed by the order in which the paper names them. Tolerance: "
        f"{tolerances}, the 95 % range of the difference of two means of five runs, and by its own "
        "number of runs for a cell that has more or fewer. A mean within "
        "the tolerance does not show that both are equal."
    )
    caption = "Table 1 of the paper beside ours"
    table = PrintedTable("table1", caption, columns, rows, frozenset(columns[2:8]), note)
    return [ReportSection("table1", "Table 1", (table, *_seed_notes(results)))]


def _origin(row: dict[str, Any]) -> str:
    return Origin(row["code_version"], row["data_sha256"]).printed


def _seed_notes(results: Results) -> list[Paragraph]:
    """Return how strongly the errors of equal seeds correlate, since comparisons ignore it."""
    sentences = [
        f"{benchmark_name(benchmark)}: errors of equal seeds correlate with "
        f"{number(correlation)} between activations, on average; comparisons take runs as "
        "unpaired."
        for benchmark, correlation in seed_correlations(results).items()
    ]
    return [Paragraph(" ".join(sentences))] if sentences else []


def _signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)
