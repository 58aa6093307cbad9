"""How often verdicts are wrong: campaigns with every claim planted true, false and undecidable.

    python tests/benchmarks/analysis_worlds.py [--worlds 200] [--claim ID]

For each claim and kind it prints the share of each verdict, and fails where a claim that is
false is supported, or one that is true contradicted, more often than 5 % allows: the bound is
three standard errors above 5 %. See `tests/analysis/worlds.py` for what is planted.
"""

from __future__ import annotations

import argparse
import collections
import math
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

from worlds import KINDS, PLANTS, MemoryResults, plant

from analysis.claims import paper
from analysis.evidence import Evidence
from analysis.verdicts import judge_claim

WRONG = {"true": "contradicted", "false": "supported", "border": "supported"}


def shares(plan: str, kind: str, worlds: int) -> dict[str, float]:
    claim = next(c for c in paper().claims if c.id == plan.split("/")[0])
    seeds = np.random.SeedSequence([sum(map(ord, plan)), KINDS.index(kind)]).spawn(worlds)
    counts = collections.Counter(
        judge_claim(
            claim, Evidence(MemoryResults(plant(plan, kind, np.random.default_rng(s))))
        ).word
        for s in seeds
    )
    return {word: n / worlds for word, n in counts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--claim", choices=PLANTS, help="only this one")
    arguments = parser.parse_args()
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / arguments.worlds)
    words = ("supported", "contradicted", "inconclusive", "not tested")
    print(f"{'claim':36} {'planted':12}" + "".join(f"{word:>14}" for word in words))
    failed, started = [], time.perf_counter()
    for plan in [arguments.claim] if arguments.claim else PLANTS:
        for kind in KINDS:
            found = shares(plan, kind, arguments.worlds)
            print(
                f"{plan:36} {kind:12}" + "".join(f"{found.get(w, 0):14.3f}" for w in words),
                flush=True,
            )
            if found.get(WRONG.get(kind, ""), 0) > allowed:
                failed.append((plan, kind))
    seconds = time.perf_counter() - started
    print(f"{seconds:.0f} s; wrong more often than {allowed:.3f}: {failed or 'none'}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
