"""Verdicts on the paper's claims, and its Table 1 beside ours."""

from __future__ import annotations

from analysis import figures
from analysis.claims import paper
from analysis.intervals import Interval
from analysis.load import Results
from analysis.model import MISSING, Section, Table, Text, interval, number
from analysis.names import activation_name, benchmark_name
from analysis.sections.glance import exploratory
from analysis.tables import records, table1
from analysis.verdicts import judge

WORD_MARKS = {
    "supported": "✓ supported",
    "contradicted": "✕ contradicted",
    "inconclusive": "? inconclusive",
    "not tested": "– not tested",
}


def claim_sections(results: Results) -> list[Section]:
    """Return the verdicts and the comparisons behind them; nothing where only searches ran."""
    if len(exploratory(results)) == results.runs["sweep"].nunique():
        return []
    found = judge(results)
    tested = [verdict for verdict in found if verdict.word != "not tested"]
    counts = ", ".join(f"{sum(v.word == word for v in found)} {word}" for word in WORD_MARKS)
    shown = [*tested, *(verdict for verdict in found if verdict not in tested)]
    rows = tuple((WORD_MARKS[v.word], f"“{v.claim.quote}”", v.reason) for v in shown)
    note = (
        "A claim holds or falls by a rule and a margin that were fixed before the runs "
        f"(claims.toml, sha256 {paper().sha256[:12]}). Only runs of confirmatory sweeps in the "
        "paper's setting count. Inconclusive means that these runs cannot tell."
    )
    table = Table("verdicts", f"{len(found)} claims: {counts}", ("Verdict", "Claim", "Why"), rows)
    sections = [Section("verdicts", "Verdicts on the paper's claims", (table, Text(note)))]
    if any(verdict.parts for verdict in found):
        drawn = figures.forest("forest", found)
        sections.append(Section("comparisons", "Comparisons behind the verdicts", (drawn,)))
    return sections


def table1_sections(results: Results) -> list[Section]:
    """Return Table 1 for the benchmarks that have runs in the paper's setting."""
    frame = table1(results)
    frame = frame[frame.groupby("benchmark")["n"].transform("sum") > 0]
    if frame.empty:
        return []
    rows = tuple(
        (
            benchmark_name(row["benchmark"]),
            activation_name(row["activation"]),
            number(row["paper_error_percent"]),
            interval(Interval(row["mean"], row["low"], row["high"])),
            number(row["sd"], 3),
            str(row["n"]),
            str(row["n_diverged"] + row["n_missing"]),
            _signed(row["difference"]),
            _within(row["within_tolerance"]),
        )
        for row in records(frame)
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
    )
    tolerances = ", ".join(
        f"±{number(t)} points on {benchmark_name(b)}" for b, t in paper().tolerance.items()
    )
    note = (
        "Mean validation error after the last epoch, in the paper's setting. The rows of ReLU, "
        "APL and PolyNeuron are placed by the order in which the paper names them. Tolerance: "
        f"{tolerances}, the 95 % range of the difference of two means of five runs."
    )
    caption = "Table 1 of the paper beside ours"
    table = Table("table1", caption, columns, rows, frozenset(columns[2:8]), note)
    return [Section("table1", "Table 1", (table,))]


def _signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def _within(value: object) -> str:
    if value is None or value != value or str(value) == "<NA>":
        return MISSING
    return "✓ yes" if value else "✕ no"
