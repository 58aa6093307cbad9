"""How often verdicts are wrong in worlds where the truth is known, at 1 to 20 looks.

    python tests/benchmarks/analysis_worlds.py [--worlds 2000] [--report-worlds 200]
        [--claim ID] [--out tests/benchmarks/results/analysis_worlds]

By the rule alone (`tests/analysis/rule_worlds.py`) and through stores, evidence and the report's
tables (`tests/analysis/report_worlds.py`). Each pass adds worlds to every cell; OUT.json and OUT.md
are written after each cell, and a later call of the same code goes on from what OUT.json has. It
fails where a cell is wrong in more than 5 % of its worlds by more than three standard errors.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import json
import math
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

import report_worlds
import rule_worlds

ROOT = Path(__file__).parents[2]
PASS = 50
"""Worlds that each cell gains in turn."""
CODE = ("analysis/paper", "analysis/statistics", "analysis/measures")
WORLDS = {
    "rule": ("array_worlds.py", "rule_worlds.py"),
    "report": ("planted_errors.py", "report_worlds.py", "synthetic_store.py", "worlds.py"),
}
ANY = "any that stands among all"


@dataclasses.dataclass
class Cell:
    """What became of the worlds of one cell."""

    part: str
    claim: str
    truth: str
    kind: str
    looks: int
    worlds: int = 0
    wrong: int = 0
    supported: int = 0
    contradicted: int = 0
    seeds: int = 0
    """Of an arm at the look of the verdict, summed over worlds."""
    intervals: int = 0
    """Of which the truth is known."""
    covering: int = 0
    """Those that hold it."""

    @property
    def share(self) -> float:
        return self.wrong / self.worlds if self.worlds else 0.0

    @property
    def error(self) -> float:
        """The standard error of a share of 5 %."""
        return math.sqrt(0.05 * 0.95 / self.worlds) if self.worlds else 0.0

    @property
    def fails(self) -> bool:
        return self.share > 0.05 + 3 * self.error

    def add(self, word: str, wrong: bool, seeds: int = 0) -> None:
        self.worlds += 1
        self.wrong += wrong
        self.supported += word == "supported"
        self.contradicted += word == "contradicted"
        self.seeds += seeds


Survey = Callable[[Cell, int], None]
"""Adds worlds to a cell until it has so many."""


def rule_cells() -> Iterator[tuple[Cell, Survey]]:
    for case in rule_worlds.cases():

        def survey(cell: Cell, worlds: int, case: rule_worlds.Case = case) -> None:
            for rng in rule_worlds.streams(case, range(cell.worlds, worlds)):
                verdict = rule_worlds.judged(case, rng)
                spent = rule_worlds.seeds_spent(verdict)
                cell.add(verdict.word, verdict.word in case.wrong, spent)
                held = rule_worlds.covers(case, verdict)
                cell.intervals += len(held)
                cell.covering += sum(held)

        yield Cell("rule", case.claim, case.truth, case.kind, case.looks), survey


def report_cells() -> Iterator[tuple[Cell, Survey]]:
    """Yield a cell for each claim, and one for the verdicts that stand among all claims."""
    looks = report_worlds.LOOKS
    for kind in report_worlds.KINDS:
        for claim in (*report_worlds.WRONG, ANY):

            def survey(cell: Cell, worlds: int, kind: str = kind, claim: str = claim) -> None:
                for number in range(cell.worlds, worlds):
                    found = verdicts(kind, number)
                    wrong = {c for c, one in found.items() if one.word in report_worlds.WRONG[c]}
                    if claim == ANY:
                        cell.add("", any(found[c].stands for c in wrong))
                    else:
                        cell.add(found[claim].word, claim in wrong)

            yield Cell("report", claim, "none", kind, looks), survey


verdicts = functools.lru_cache(maxsize=2 * PASS)(report_worlds.verdicts)
"""Of one campaign, for the cells of all claims."""


def code_sha256(part: str) -> str:
    """Return the hash of what a part's figures depend on."""
    files = sorted(file for folder in CODE for file in (ROOT / folder).rglob("*.[pt][yo]*"))
    files += [ROOT / "tests/analysis" / name for name in WORLDS[part]]
    texts = b"".join(file.read_bytes() for file in files if "__pycache__" not in file.parts)
    return hashlib.sha256(texts).hexdigest()


def known(out: Path | None) -> dict[tuple, dict]:
    """Return the cells of an earlier call of this code, by what names them."""
    file = out.with_suffix(".json") if out else None
    content = json.loads(file.read_text()) if file and file.exists() else {"cells": []}
    same = {
        part for part in WORLDS if content.get("code_sha256", {}).get(part) == code_sha256(part)
    }
    return {key(Cell(**cell)): cell for cell in content["cells"] if cell["part"] in same}


def key(cell: Cell) -> tuple:
    return cell.part, cell.claim, cell.truth, cell.kind, cell.looks


def table(cells: list[Cell]) -> str:
    columns = ["claim", "truth", "runs", "looks", "worlds", "wrong", "supported", "contradicted"]
    columns += ["seeds", "covered"]
    rule = ["---"] * 3 + ["---:"] * (len(columns) - 3)
    lines = [f"| {' | '.join(row)} |" for row in (columns, rule)]
    for cell in cells:
        error = math.sqrt(cell.share * (1 - cell.share) / cell.worlds)
        shares = [f"{100 * n / cell.worlds:.1f}" for n in (cell.supported, cell.contradicted)]
        if cell.claim == ANY:
            shares = ["", ""]
        seeds = f"{cell.seeds / cell.worlds:.1f}" if cell.seeds else ""
        covered = f"{100 * cell.covering / cell.intervals:.1f}" if cell.intervals else ""
        name = f"**{cell.claim}**" if cell.fails else cell.claim
        lines.append(
            f"| {name} | {cell.truth} | {cell.kind} | {cell.looks} | {cell.worlds} "
            f"| {100 * cell.share:.1f} ± {100 * error:.1f} | {' | '.join(shares)} "
            f"| {seeds} | {covered} |"
        )
    return "\n".join(lines) + "\n"


def write(out: Path, cells: list[Cell], command: str) -> None:
    done = [cell for cell in cells if cell.worlds]
    failing = [f"{c.claim}, {c.truth}, {c.kind}, {c.looks} looks" for c in done if c.fails]
    content = {
        "command": command,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "code_sha256": {part: code_sha256(part) for part in WORLDS},
        "failures": failing,
        "cells": [dataclasses.asdict(cell) for cell in done],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    few, many = min(c.worlds for c in done), max(c.worlds for c in done)
    head = (
        f"# Wrong verdicts in planted worlds\n\n`{command}`\n\nShares in percent with their "
        f"standard errors: {len(done)} of {len(cells)} cells, of {few:,} to {many:,} worlds each. "
        "`runs` says what becomes of them; "
        "`seeds` is the mean number of an arm at the look of the verdict, of 20 at most (60 for "
        "claims on divergence); `covered` is the share of the 95 % intervals that hold the truth, "
        "at a single look. A cell fails where it is wrong in more than 5 % by three standard "
        f"errors: {'; '.join(failing) or 'none does'}.\n\n"
    )
    sections = [
        f"## {title}\n\n{table([c for c in done if c.part == part])}"
        for part, title in (
            ("report", "Through the whole report, in campaigns without a difference"),
            ("rule", "By the rule alone"),
        )
        if any(c.part == part for c in done)
    ]
    out.with_suffix(".md").write_text(head + "\n".join(sections))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--report-worlds", type=int, default=200)
    parser.add_argument("--claim", help="the rule of only this one")
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.md")
    arguments = parser.parse_args()
    command = (
        f"python tests/benchmarks/analysis_worlds.py --worlds {arguments.worlds} "
        f"--report-worlds {arguments.report_worlds}"
    )
    found = [*rule_cells(), *report_cells()]
    if arguments.claim:
        found = [one for one in found if one[0].claim == arguments.claim]
    earlier = known(arguments.out)
    pairs = [(Cell(**earlier.get(key(cell), vars(cell))), survey) for cell, survey in found]
    cells = [cell for cell, _ in pairs]
    most = {"rule": arguments.worlds, "report": arguments.report_worlds}
    started = time.process_time()
    for reach in range(PASS, max(most.values()) + PASS, PASS):
        for cell, survey in pairs:
            before = cell.worlds
            survey(cell, min(reach, most[cell.part]))
            if cell.worlds > before:
                print(*key(cell), f"{100 * cell.share:.1f} % of {cell.worlds}", flush=True)
                if arguments.out:
                    write(arguments.out, cells, command)
    failing = [cell for cell in cells if cell.fails]
    print(f"{time.process_time() - started:.0f} core-seconds; {len(failing)} cells fail")
    sys.exit(bool(failing))


if __name__ == "__main__":
    main()
