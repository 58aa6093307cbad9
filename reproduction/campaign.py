"""The campaign: the bundled sweeps on the LeNet-5 half of the paper, in order, and their stores.

`python -m reproduction.campaign go-on ROOT` puts the finished work of `stores/` under a root and
goes on from there; `python -m reproduction.campaign keep ROOT` copies what a root has into
`stores/`.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import analysis
from analysis.store.errors import StoreError
from analysis.store.places import TABLES_FOLDER
from analysis.store.statuses import FINAL

COMMIT = "5111bbc47680a79c9ae8e7a3f3cce9f980b742fa"
"""The commit whose training code the campaign is run with, where a part names no other."""

TIMING_COMMIT = "29da7e3c2d641076039d4900d59b6999102f2c25"
"""A later one: at `COMMIT` no sweep could time each repetition in a process of its own."""

STORES = Path(__file__).with_name("stores")

CLAIMS_SHA256 = "97f6b6528fb9"
"""How the hash of `claims.toml` begins at that commit: what was fixed before the first run."""

STUDY = "study.db"
KEPT = ("spec.json", "code.json", "spent.json")
"""Files of a sweep beside its tables and its study without which it cannot go on. Checkpoints are
not among them: a run that was under way begins again."""


@dataclass(frozen=True)
class Part:
    """One sweep of the campaign."""

    sweep: str
    """Name of the bundled specification, and of the sweep."""
    seeds: tuple[int, ...]
    """Seeds of a trial at each look: the first come from the specification, others are added."""
    commit: str = COMMIT
    """The commit whose training code it is run with."""


PARTS = (
    Part("table1_lenet5", (5, 10)),
    Part("init_stability", (30,)),
    Part("ablation_lambda_sum", (10,)),
    Part("ablation_lambda_prod", (10,)),
    Part("no_penalty_lenet5", (20,)),
    Part("timing_lenet5", (5,), TIMING_COMMIT),
    Part("ablation_sk", (5,)),
    Part("scope_lenet5", (5,)),
    Part("lr_sensitivity", (5,)),
    Part("lower_rate_lenet5", (10,)),
    Part("relaxed_sk", (5,)),
)
"""In this order: runs that two sweeps share are trained by the first."""


def go_on(root: Path, parts: Sequence[Part] = PARTS) -> int:
    """Run what the campaign still lacks, by the commands that a user would type.

    Returns:
        The exit code of the first command that failed or was stopped; 0 if every part is done.
    """
    take(root, parts)
    for part in parts:
        while command := next_command(root, part):
            print("sweeps", *command, flush=True)
            code = subprocess.run([sys.executable, "-m", "sweeps", *command]).returncode
            if code:
                return code
    return 0


def next_command(root: Path, part: Part) -> list[str]:
    """Return the arguments of `sweeps` with which a part goes on; none if it is done."""
    at = ["--root", str(root)]
    try:
        results = analysis.load(root / part.sweep)
    except StoreError:
        return ["run", part.sweep, *at]
    sweep = results.sweeps.iloc[0]
    ended = results.trials["status"].isin(FINAL)
    if ended.sum() < sweep["trials_planned"]:
        return ["resume", part.sweep, *at]
    wanted = next((seeds for seeds in part.seeds if seeds > sweep["seeds"]), None)
    return ["extend", part.sweep, "--seeds", str(wanted), *at] if wanted else []


def take(root: Path, parts: Sequence[Part] = PARTS, stores: Path = STORES) -> None:
    """Put the kept work under a root; a sweep that the root has already stays as it is there."""
    for part in parts:
        kept, there = stores / part.sweep, root / part.sweep
        if kept.exists() and not there.exists():
            shutil.copytree(kept, there)


def keep(root: Path, parts: Sequence[Part] = PARTS, stores: Path = STORES) -> None:
    """Copy the sweeps of a root, none of which may be running, without what can be done again."""
    for part in parts:
        there, kept = root / part.sweep, stores / part.sweep
        if not there.exists():
            continue
        subprocess.run(
            [sys.executable, "-m", "sweeps", "compact", part.sweep, "--root", str(root)], check=True
        )
        shutil.rmtree(kept, ignore_errors=True)
        (kept / TABLES_FOLDER).mkdir(parents=True)
        for table in (there / TABLES_FOLDER).glob("*.parquet"):
            shutil.copy(table, kept / TABLES_FOLDER)
        for name in KEPT:
            if (there / name).exists():
                shutil.copy(there / name, kept)
        _copy_study(there / STUDY, kept / STUDY)


def _copy_study(study: Path, copy: Path) -> None:
    """Copy an SQLite file with what a killed driver has left in its write-ahead log."""
    with closing(sqlite3.connect(study)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("pragma journal_mode=delete")


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m reproduction.campaign")
    parser.add_argument("what", choices=("go-on", "keep"))
    parser.add_argument("root", type=Path, help="folder of the campaign's results")
    asked = parser.parse_args()
    if asked.what == "keep":
        keep(asked.root)
        return 0
    return go_on(asked.root)


if __name__ == "__main__":
    sys.exit(main())
