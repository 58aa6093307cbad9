"""What `sweeps settle` decides in worlds where the truth is known, and the runs that it takes.

    python tests/benchmarks/settle_worlds.py [--worlds 200]
        [--out tests/benchmarks/results/settle_worlds]

Worlds of `table1_lenet5`: five seeds of five activations, to which the code that `settle` runs adds
blocks of seeds, until each claim is decided, futile or at its ten seeds. The claims share arms.
Beside it the fixed design: ten seeds of each arm at one look, in the same worlds. It fails where
more than 5 % of the verdicts on a claim are wrong by more than three standard errors.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

from planted_errors import FIVE
from synthetic_store import SyntheticSweep, configuration
from worlds import MemoryResults

from analysis.paper.claims import paper
from analysis.paper.evidence import Evidence
from analysis.paper.verdicts import judge_claim
from analysis.store.blocks import Block, blocks_json
from sweeps.driver.settling import Wish, next_blocks, standings

FIRST, MOST = 5, 10
"""Seeds of the specification, and of the claims."""
CLAIMS = {
    claim.id: claim
    for claim in paper().claims
    if claim.rule in ("better", "no_gain")
    and claim.sweeps == ("table1_lenet5",)
    and claim.at == "last"
}
CONFIGURATIONS = {name: configuration(activation=name) for name in FIVE}


@dataclass(frozen=True)
class World:
    """The true errors, in percent, and the scatter of seeds."""

    truth: str
    gains: Mapping[str, float]
    """Points by which an activation errs less than 2 %."""
    deviation: float
    wrong: Mapping[str, tuple[str, ...]]
    """By claim, the words that are wrong there."""


def worlds() -> Iterator[World]:
    """Yield the worlds: the largest gain is 0, 1 or 2 of the margin of 0.1 points."""
    both, no = ("supported", "contradicted"), ("contradicted",)
    nothing = {name: both if one.rule == "better" else no for name, one in CLAIMS.items()}
    for deviation in (0.05, 0.1):
        yield World("no difference", {}, deviation, nothing)
        for margins in (1, 2):
            # PolyNeuron-R is best; no other activation differs from another
            gains = {"polyneuron_r": 0.1 * margins}
            wrong = dict.fromkeys(CLAIMS, no)
            yield World(f"PolyNeuron-R {margins} x the margin better", gains, deviation, wrong)
        # the rivals of both PolyNeurons gain just what matters: "no gain" is false
        gains = dict.fromkeys(("relu", "swish", "apl"), 0.1)
        wrong = {
            name: ("supported",) if one.rule == "no_gain" or "best" in name else both
            for name, one in CLAIMS.items()
        }
        yield World("the others 1 x the margin better", gains, deviation, wrong)


@dataclass
class Cell:
    """What became of one claim in the worlds of one truth."""

    truth: str
    deviation: float
    claim: str
    worlds: int = 0
    wrong: int = 0
    decided: int = 0
    fixed_wrong: int = 0
    fixed_decided: int = 0
    seeds: list[int] = field(default_factory=lambda: [0] * (MOST + 1))
    """Worlds by the seeds of an arm at which the claim got no more."""

    @property
    def fails(self) -> bool:
        error = math.sqrt(0.05 * 0.95 / self.worlds)
        return self.wrong / self.worlds > 0.05 + 3 * error

    @property
    def mean_seeds(self) -> float:
        return sum(n * count for n, count in enumerate(self.seeds)) / self.worlds


def sweep_of(errors: Mapping[str, np.ndarray], seeds: int) -> SyntheticSweep:
    sweep = SyntheticSweep("table1_lenet5", seeds=seeds)
    sweep.rows["sweeps"][0]["spec_json"] = json.dumps({"seeds": list(range(seeds))})
    for trial, (name, values) in enumerate(errors.items()):
        for seed in range(seeds):
            add(sweep, name, trial, seed, values)
    sweep.add_trials([])
    return sweep


def add(sweep: SyntheticSweep, name: str, trial: int, seed: int, values: np.ndarray) -> None:
    sweep.add_run(CONFIGURATIONS[name], seed, values[seed : seed + 1], trial=trial, history=False)


def settled(errors: Mapping[str, np.ndarray]) -> tuple[dict[str, tuple[str, int]], int]:
    """Return each claim's word and seeds an arm when it gets no more, and the runs of the sweep."""
    sweep = sweep_of(errors, FIRST)
    names = list(errors)
    blocks: list[Block] = []
    ended: dict[str, tuple[str, int]] = {}
    while True:
        results = MemoryResults([sweep])
        found = standings(results, Wish(tuple(CLAIMS)), CLAIMS.values())
        more = next_blocks(results, found)
        for one in found:
            if one.reason and one.claim.id not in ended:
                mine = {
                    seed
                    for block in blocks
                    if one.claim.id in block.claims
                    for seeds in block.seeds.values()
                    for seed in seeds
                }
                ended[one.claim.id] = one.word, FIRST + len(mine)
        if not more:
            return ended, len(sweep.rows["runs"])
        blocks += more
        known = {(row["trial"], row["seed"]) for row in sweep.rows["runs"]}
        for block in more:
            for trial, seeds in block.seeds.items():
                for seed in seeds:
                    if (trial, seed) not in known:
                        known.add((trial, seed))
                        add(sweep, names[trial], trial, seed, errors[names[trial]])
        sweep.rows["sweeps"][0]["blocks_json"] = blocks_json(blocks)


def fixed(errors: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return each claim's word with all seeds planned at once."""
    evidence = Evidence(MemoryResults([sweep_of(errors, MOST)]))
    return {name: judge_claim(claim, evidence).word for name, claim in CLAIMS.items()}


def survey(world: World, number: int, cells: Mapping[str, Cell]) -> int:
    """Add a world to the cells of its truth; return the runs that `settle` took."""
    rng = np.random.default_rng([number, int(1000 * world.deviation), *map(ord, world.truth)])
    errors = {
        name: 2 - world.gains.get(name, 0.0) + rng.normal(0, world.deviation, MOST) for name in FIVE
    }
    ended, runs = settled(errors)
    at_once = fixed(errors)
    for name, cell in cells.items():
        word, seeds = ended[name]
        wrong = world.wrong[name]
        cell.worlds += 1
        cell.wrong += word in wrong
        cell.decided += word in ("supported", "contradicted")
        cell.fixed_wrong += at_once[name] in wrong
        cell.fixed_decided += at_once[name] in ("supported", "contradicted")
        cell.seeds[seeds] += 1
    return runs


def table(cells: list[Cell], runs: Mapping[tuple[str, float], list[int]]) -> str:
    lines = [
        "| truth | deviation | claim | wrong | wrong, fixed | decided | decided, fixed | seeds |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    for cell in cells:
        shares = (cell.wrong, cell.fixed_wrong, cell.decided, cell.fixed_decided)
        text = " | ".join(f"{100 * share / cell.worlds:.1f}" for share in shares)
        name = f"**{cell.claim}**" if cell.fails else cell.claim
        lines.append(
            f"| {cell.truth} | {cell.deviation} | {name} | {text} | {cell.mean_seeds:.1f} |"
        )
    lines += ["", "| truth | deviation | runs of settle, mean | share of the fixed design's |"]
    lines += ["|---|---:|---:|---:|"]
    for (truth, deviation), taken in runs.items():
        mean = float(np.mean(taken))
        share = mean / (MOST * len(FIVE))
        lines.append(f"| {truth} | {deviation} | {mean:.1f} | {share:.2f} |")
    return "\n".join(lines) + "\n"


def write(out: Path, cells: list[Cell], runs: Mapping[tuple[str, float], list[int]]) -> None:
    command = f"python tests/benchmarks/settle_worlds.py --worlds {cells[0].worlds}"
    content = {
        "command": command,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "failures": [f"{c.truth}, {c.deviation}, {c.claim}" for c in cells if c.fails],
        "runs": {f"{truth}, {deviation}": taken for (truth, deviation), taken in runs.items()},
        "cells": [asdict(cell) for cell in cells],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    error = 100 * math.sqrt(0.05 * 0.95 / cells[0].worlds)
    head = (
        f"# Settling in planted worlds\n\n`{command}`\n\n{cells[0].worlds} worlds a truth, shares "
        f"in percent; the standard error of a share of 5 % is {error:.1f}. `fixed` is ten seeds of "
        "each arm at one look, in the same worlds. `seeds` is the mean number of an arm when the "
        "claim got no more: it was decided, futile or had ten.\n\n"
    )
    out.with_suffix(".md").write_text(head + table(cells, runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.md")
    arguments = parser.parse_args()
    cells: list[Cell] = []
    runs: dict[tuple[str, float], list[int]] = {}
    for world in worlds():
        own = {name: Cell(world.truth, world.deviation, name) for name in CLAIMS}
        taken = [survey(world, number, own) for number in range(arguments.worlds)]
        runs[world.truth, world.deviation] = taken
        cells += own.values()
        print(table(list(own.values()), {(world.truth, world.deviation): taken}), flush=True)
    if arguments.out:
        write(arguments.out, cells, runs)
    sys.exit(any(cell.fails for cell in cells))


if __name__ == "__main__":
    main()
