"""`REPRODUCTION.md`, Table 1 of the README and the report, from the kept stores alone.

`python -m reproduction.page` writes them; every number on the page is computed here.
"""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

import analysis
from analysis import Results
from analysis.measures.rows import records
from analysis.paper.verdicts import DECIDED
from analysis.paper.words import Word
from analysis.printed import activation_name, count, duration, interval, number
from analysis.statistics.intervals import Interval
from analysis.store.statuses import FINAL
from reproduction.campaign import CLAIMS_SHA256, COMMIT, PARTS, STORES, Part
from sweeps.spec.reading import load_spec
from sweeps.spec.search_space import configure, grid

FOLDER = Path(__file__).parent
PAGE = FOLDER / "REPRODUCTION.md"
README = FOLDER.parent / "README.md"
BENCHMARK = "lenet5/mnist"

BEGIN, END = "<!-- reproduction: table 1 -->", "<!-- end of table 1 -->"
"""What is between them in the README is written here."""

Run = tuple[str, int]
"""A configuration's id and a seed."""


@dataclass(frozen=True)
class Progress:
    """What a part of the campaign has and lacks."""

    sweep: str
    planned: int
    """Runs, those included that another part trains."""
    done: int
    missing_epochs: int
    """Epochs of the runs that no part has trained."""


def page(results: Results) -> str:
    """Return the text of `REPRODUCTION.md`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    found = analysis.verdicts(results)
    tested = found[found["verdict"] != Word.NOT_TESTED]
    return environment.get_template("page.md").render(
        table1=table1_lines(results),
        counts=_counted(found),
        claims=[_claim_line(row) for row in records(tested)],
        sentences=_sentences(tested),
        untested=[_untested_line(row) for row in records(found.drop(tested.index))],
        trained=_trained(results),
        rest=_rest(results),
        versions=_versions(results),
        hours=duration(_own(results)["train_seconds"].sum()),
        runs=count(len(_own(results)), "run"),
        commit=COMMIT,
        scope=_scope(results),
        later=[part for part in PARTS if part.commit != COMMIT],
        claims_before=CLAIMS_SHA256,
        claims_sha256=str(found["claims_sha256"].iloc[0])[:12],
    )


def table1_lines(results: Results) -> list[str]:
    """Return Table 1's LeNet-5 column beside the paper's, as lines of Markdown."""
    frame = analysis.table1(results)
    lines = [
        "| activation | paper, 5 runs | here, mean (95 % interval) | deviation | runs |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in records(frame[frame["benchmark"] == BENCHMARK]):
        ours = interval(Interval(row["mean"], row["low"], row["high"]))
        cells = (
            activation_name(row["activation"]),
            number(row["paper_error_percent"]),
            ours,
            number(row["sd"]),
            f"{row['n']} of {row['n_planned']}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def with_table1(readme: str, results: Results) -> str:
    """Return the README with today's Table 1 between its marks.

    Raises:
        ValueError: the README lacks the marks.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no {BEGIN} with {END} behind it: put them back")
    return "\n".join([before + begin, *table1_lines(results), end + after])


def progress(results: Results, parts: Sequence[Part] = PARTS) -> list[Progress]:
    """Return what each part has and lacks; runs that two parts share count as the first one's."""
    ended = results.runs[results.runs["status"].isin(FINAL)]
    have = set(zip(ended["config_id"].astype(str), ended["seed"].astype(int), strict=True))
    counted: set[Run] = set()
    found = []
    for part in parts:
        runs = planned_runs(part)
        lacking = runs.keys() - have - counted
        counted |= lacking
        epochs = sum(runs[run] for run in lacking)
        found.append(Progress(part.sweep, len(runs), len(runs.keys() & have), epochs))
    return found


def planned_runs(part: Part) -> dict[Run, int]:
    """Return the epochs of each run of a part, at its last look."""
    spec = load_spec(part.sweep)
    seeds = [*spec.seeds, *range(len(spec.seeds), part.seeds[-1])]
    return {
        (configure(spec, point).config_id, seed): spec.recipe.epochs
        for point in grid(spec)
        for seed in seeds
    }


def _counted(found: pd.DataFrame) -> str:
    counts = found["verdict"].value_counts()
    return ", ".join(f"{counts.get(word, 0)} {word}" for word in Word)


def _claim_line(row: dict[str, Any]) -> str:
    found = interval(Interval(row["estimate"], row["low"], row["high"]))
    unmeasured = pd.isna(row["estimate"]) or row["unit"] in (None, "", "rate")
    unit = "" if unmeasured else f" {row['unit']}"
    compared = (row["n"], row["n_reference"])
    needed = row["seeds_needed"]
    cells = (
        row["verdict"],
        row["estimand"],
        f"{found}{unit}",
        " + ".join(str(n) for n in compared if not pd.isna(n) and n),
        "" if row["verdict"] in DECIDED or pd.isna(needed) else f"about {needed} runs a cell",
    )
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _sentences(tested: pd.DataFrame) -> list[str]:
    """Return the quotations, each once, with the verdict on what each one claims."""
    found = []
    for quote, rows in tested.groupby("quote", sort=False):
        lines = [f"> {quote}", ""]
        lines += [
            f"- **{row['verdict']}**, {row['estimand']}. {row['reason']} ({row['ledger']})"
            for row in records(rows)
        ]
        found.append("\n".join(lines))
    return found


def _untested_line(row: dict[str, Any]) -> str:
    return f"| `{row['claim']}` | {_cell(row['reason'])} |"


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|")


def _own(results: Results) -> pd.DataFrame:
    """Return the runs that a sweep trained itself."""
    return results.runs[results.runs["reused_from"].isna()]


def _scope(results: Results) -> str:
    """Say how errors with an activation a channel differ from those with one a layer."""
    if "scope_lenet5" not in results.names:
        return "not measured yet"
    gaps = analysis.compare(results.only(["scope_lenet5"]), by="scope", baseline="layer")
    row = records(gaps)[0]
    gap = interval(Interval(row["difference"], row["low"], row["high"]))
    runs = f"{row['n']} + {row['reference_n']} runs in {count(row['blocks'], 'activation')}"
    return f"{gap} points, 95 % interval, {runs}"


def _trained(results: Results) -> list[str]:
    lines = []
    for sweep, runs in results.runs.groupby("sweep", observed=True, sort=False):
        statuses = runs["status"].value_counts()
        own = runs[runs["reused_from"].isna()]
        cells = (
            f"`{sweep}`",
            ", ".join(f"{n} {status}" for status, n in statuses.items() if n),
            str(len(runs) - len(own)),
            duration(own["train_seconds"].sum()),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _rest(results: Results) -> list[str]:
    """Return the parts that lack runs, with the hours of one core that they would take."""
    seconds = statistics.median(_own(results)["epoch_seconds"].dropna())
    return [
        f"| `{one.sweep}` | {one.done} of {one.planned} |"
        f" {duration(one.missing_epochs * seconds)} |"
        for one in progress(results)
        if one.done < one.planned
    ]


def _versions(results: Results) -> str:
    """Return the versions with which the sweeps were begun, each once."""
    texts: Iterable[str] = results.sweeps["versions_json"].dropna().unique()
    shown = ("python", "torch", "numpy", "ray", "optuna")
    return "; ".join(
        ", ".join(f"{name} {json.loads(text)[name]}" for name in shown) for text in texts
    )


def main() -> None:
    """Write the page, the README's table and the report."""
    results = analysis.load(STORES)
    PAGE.write_text(page(results), "utf-8")
    README.write_text(with_table1(README.read_text("utf-8"), results), "utf-8")
    # A figure that the report has no more would stay.
    shutil.rmtree(FOLDER / "report", ignore_errors=True)
    for path in analysis.report(results, FOLDER / "report", ("html", "md")):
        print(path.relative_to(FOLDER))


if __name__ == "__main__":
    main()
