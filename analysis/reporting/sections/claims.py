"""The sections on the paper: verdicts on its claims, and its Table 1 beside ours."""

from __future__ import annotations

import math
from collections import Counter
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
from analysis.printed import (
    ACTIVATIONS,
    MISSING,
    UNTRAINED,
    activation_name,
    benchmark_name,
    count,
    interval,
    number,
    percent,
)
from analysis.reporting import figures
from analysis.reporting.marks import TOO_FEW, VERDICT_MARKS, verdict_mark, yes_or_no
from analysis.reporting.model import Block, Paragraph, PrintedTable, ReportSection
from analysis.statistics.intervals import Interval
from analysis.statistics.many_tests import LEAST
from analysis.store.results import Results

_REPEATED = (
    "Intervals are the repeated ones of their look: of 95 % at the last look that a claim plans, "
    "and surer, hence wider, before; the confidence is named where it is not 95 %."
)
UNITS = {"points": "points", "ratio": "ratio", "rate": "rate", "": "mean"}


def forest_section(results: Results, found: Sequence[Verdict]) -> list[ReportSection]:
    """Return the count of verdicts and all tested claims in one figure; nothing for searches."""
    if _searches_alone(results):
        return []
    blocks: list[Block] = [Paragraph(_counted(found), strong=True), *_among_all(found)]
    drawn = figures.forest("forest", found)
    blocks += [drawn] if drawn.panels else []
    return [ReportSection("claims", "The paper's claims", tuple(blocks))]


def _counted(found: Sequence[Verdict]) -> str:
    """Return how many claims have each verdict, those without any too."""
    marks = [verdict_mark(verdict) for verdict in found]
    order = [mark for mark in VERDICT_MARKS.values() if mark != VERDICT_MARKS[Word.NOT_TESTED]]
    order += [TOO_FEW, VERDICT_MARKS[Word.NOT_TESTED]]
    counts = (f"{mark[:2]}{marks.count(mark)} {mark[2:]}" for mark in order)
    return f"{count(len(found), 'claim')}: {', '.join(counts)}"


def _among_all(found: Sequence[Verdict]) -> list[Paragraph]:
    """Say how many verdicts chance would give, and which stand among all; nothing without any."""
    tested = [one for one in found if one.testable]
    decided = [one for one in tested if not math.isnan(one.p_value)]
    if not decided:
        return []
    chance = number(paper().level["planned"] * len(tested), 1)
    alone = [one.claim.id.replace("_", " ") for one in decided if not one.stands]
    text = (
        f"{count(len(tested), 'claim')} could be decided by a test. If there were no effect at "
        f"all, {chance} of them at most would have a wrong verdict by chance, on average. Of "
        f"{count(len(decided), 'verdict')}, {len(decided) - len(alone)} stand among all at a false "
        "discovery rate of 5 % (Benjamini and Hochberg)"
    )
    if alone:
        text += f". Decided when judged alone, but not among all: {', '.join(alone)}"
    return [Paragraph(f"{text}.")]


def _p_value(verdict: Verdict) -> str:
    """Return the p value of a verdict, and whether it stands among all."""
    if math.isnan(verdict.p_value):
        return MISSING
    least = "≤ " if verdict.p_value <= LEAST else ""
    stands = "✓ stands" if verdict.stands else "✕ alone"
    return f"{least}{verdict.p_value:.2g}, {stands}"


def _searches_alone(results: Results) -> bool:
    return len(exploratory(results)) == results.runs["sweep"].nunique()


def claim_sections(results: Results, found: Sequence[Verdict]) -> list[ReportSection]:
    """Return the verdicts and the comparisons behind them; nothing if only searches ran."""
    if _searches_alone(results):
        return []
    tested = [verdict for verdict in found if verdict.word != Word.NOT_TESTED]
    some = [one for one in found if one not in tested and one.ledger.planned]
    # the verdicts that say something come first
    shown = [*tested, *some]
    rows = tuple(
        (
            verdict_mark(v),
            f"“{v.claim.quote}”",
            v.reason,
            _p_value(v),
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
        "seeds alike. p is the smallest level, of all looks together, at which the verdict would "
        "still be given; it stands if it does so among all at a false discovery rate of 5 %. "
        "A run set is named by the hash of its run ids, which Methods lists."
    )
    columns = ("Verdict", "Claim", "Why", "p", "Runs", "Run set")
    table = PrintedTable("verdicts", _counted(found), columns, rows)
    title = "Verdicts on the paper's claims"
    untested = _untested([one for one in found if one not in shown])
    blocks: tuple[Block, ...] = (table, *untested, Paragraph(note), *_kept_apart(results))
    sections = [ReportSection("verdicts", title, blocks)]
    if any(verdict.comparisons for verdict in found):
        title = "Comparisons behind the verdicts"
        sections.append(ReportSection("comparisons", title, (_comparisons(found),)))
    return sections


def _untested(bare: Sequence[Verdict]) -> list[PrintedTable]:
    """Return the claims on which no run speaks, those of one sentence and one reason together."""
    if not bare:
        return []
    together = Counter((one.claim.quote, one.reason) for one in bare)
    rows = tuple(
        (f"“{quote}”" + (f" ({n} claims)" if n > 1 else ""), reason)
        for (quote, reason), n in together.items()
    )
    caption = f"{count(len(bare), 'claim')} not tested: no run speaks on them"
    return [PrintedTable("untested", caption, ("Claim", "Why"), rows)]


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
    planned = paper().level["planned"]
    rows = tuple(
        (
            verdict.claim.id.replace("_", " "),
            f"{benchmark_name(one.benchmark)}, {one.name}",
            UNITS[one.unit],
            interval(one.interval, 3 if one.unit == "" else 2)
            + (f" at {percent(one.confidence)}" if one.confidence != 1 - planned else ""),
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
        "Estimate (interval)",
        "Threshold",
        "Bears it out",
        "Runs",
        "Run set",
    )
    caption = f"All {len(rows)} comparisons"
    return PrintedTable("comparisons", caption, columns, rows, frozenset(columns[3:5]), _REPEATED)


def table1_section(results: Results) -> list[ReportSection]:
    """Return Table 1 in the paper's shape; nothing without a run in the paper's setting."""
    frame = table1(results)
    if not frame["n_planned"].any():
        return []
    notes = _ledger_notes(frame)
    bests = frame.groupby("benchmark")["mean"].transform("min") == frame["mean"]
    leasts = frame.groupby("benchmark")["paper_error_percent"].transform("min")
    rows, strong = [], set()
    for line, activation in enumerate(ACTIVATIONS):
        cells = [activation_name(activation)]
        for benchmark in paper().benchmarks:
            chosen = (frame["benchmark"] == benchmark) & (frame["activation"] == activation)
            own = frame[chosen]
            if bests[chosen].any():
                strong.add((line, len(cells)))
            cells.append("; ".join(_cell(row, notes) for row in records(own)))
            if (own["paper_error_percent"] == leasts[chosen]).any():
                strong.add((line, len(cells)))
            cells.append(number(own["paper_error_percent"].iloc[0]))
        rows.append(tuple(cells))
    pairs = [(benchmark_name(name), "Paper") for name in paper().benchmarks]
    columns = ("Activation", *(column for pair in pairs for column in pair))
    caption = "Validation error in percent (95 % interval), the paper's figure beside ours"
    note = "Bold: the smallest of its column. Mean after the last epoch, in the paper's setting. "
    note += _readings()
    note += ". ".join(
        f"({letter}) {text}" if letter else f"Cells without a letter: {text}"
        for text, letter in notes.items()
    )
    table = PrintedTable(
        "table1",
        caption,
        columns,
        tuple(rows),
        frozenset(columns[1:]),
        f"{note}.",
        frozenset(strong),
        keeps_shape=True,
    )
    return [ReportSection("table1", "Table 1", (table,))]


def _readings() -> str:
    """Say how a benchmark is read whose network does not train in the paper's own setting."""
    return "".join(
        f"On {benchmark_name(name)} all runs are in a reading of it that departs from the paper: "
        f"{paper().read_as(name)}. "
        for name in paper().reading
    )


def _ledger_notes(frame: pd.DataFrame) -> dict[str, str]:
    """Return a letter for each ledger; none for the most frequent one without any lost run."""
    present = frame.loc[frame["n_planned"] > 0, "ledger"]
    clean = present[present.map(_all_completed)]
    usual = clean.mode().iloc[0] if len(clean) else None
    others = [ledger for ledger in present.drop_duplicates() if ledger != usual]
    letters = {ledger: chr(ord("a") + place) for place, ledger in enumerate(others)}
    return ({usual: ""} if usual else {}) | letters


def _all_completed(ledger: str) -> bool:
    parts = [part.rsplit(" ", 1) for part in ledger.split(", ")]
    return [name for name, _ in parts] == ["planned", "completed"] and parts[0][1] == parts[1][1]


def _cell(row: dict[str, Any], notes: dict[str, str]) -> str:
    """Return one cell: the mean, its runs where they are not the planned ones, its footnote."""
    if not row["n_planned"]:
        return MISSING
    text = _mean(row)
    text += f", n = {row['n']}" if row["n"] != row["n_planned"] else ""
    letter = notes[row["ledger"]]
    return f"{text} ({letter})" if letter else text


def _mean(row: dict[str, Any]) -> str:
    if not row["n"] and row["n_diverged"]:
        return UNTRAINED
    return interval(Interval(row["mean"], row["low"], row["high"]))


def table1_sections(results: Results) -> list[ReportSection]:
    """Return Table 1 in detail for the benchmarks that have runs in the paper's setting."""
    frame = table1(results)
    frame = frame[frame.groupby("benchmark")["n_planned"].transform("sum") > 0]
    if frame.empty:
        return []
    several = frame.groupby(["benchmark", "activation"])["n"].transform("size") > 1
    rows = tuple(
        (
            benchmark_name(row["benchmark"]),
            activation_name(row["activation"]) + (f" ({_origin(row)})" if apart else ""),
            number(row["paper_error_percent"]),
            _mean(row),
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
        f"the tolerance does not show that both are equal. {_readings()}"
    ).rstrip()
    caption = "Table 1 of the paper beside ours"
    table = PrintedTable("table1-detail", caption, columns, rows, frozenset(columns[2:8]), note)
    return [ReportSection("table1-detail", "Table 1 in detail", (table, *_seed_notes(results)))]


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
