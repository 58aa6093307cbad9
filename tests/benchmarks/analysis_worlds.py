"""How often verdicts are wrong, and how often intervals cover the truth, in campaigns with every
claim planted true, false, on the border and undecidable.

    python tests/benchmarks/analysis_worlds.py [--worlds 200] [--clear 60] [--claim PLAN]
        [--processes 1] [--out tests/benchmarks/results/analysis_worlds]

`--worlds` are those on the border, where wrong verdicts are to be expected; `--clear` are those of
each other kind.

It fails where a claim that is false is supported, or one that is true contradicted, more often
than 5 % allows (three standard errors above), and where the intervals behind a claim's verdicts
cover the truth in fewer than 93 or more than 97 % of its worlds. See `tests/analysis/worlds.py`
for what is planted. `--out` writes the figures as JSON and as a table.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import platform
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

from worlds import KINDS, PLANTS, TRUTHS, ManyWorlds, MemoryResults, Silent, plant

from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Evidence
from analysis.paper.rules import Comparison
from analysis.paper.verdicts import Verdict, judge_claim

WRONG = {"true": "contradicted", "false": "supported", "border": "supported"}
WORDS = ("supported", "contradicted", "not decided", "not tested")
COVERAGE = 0.93, 0.97
AT_ONCE = 50
ROUNDING = 1e-4
"""Intervals around means that are 0 but for float32's rounding have no truth to cover."""


@dataclass(frozen=True)
class Found:
    """What became of the worlds of one plan and kind."""

    plan: str
    kind: str
    worlds: int
    verdicts: dict[str, float]
    """Shares of the worlds."""
    covered: float
    """Share of the intervals that hold the truth; NaN where there is none to hold."""

    def share(self, word: str) -> float:
        return self.verdicts.get(word, 0.0)

    @property
    def wrong(self) -> float:
        return self.share(WRONG[self.kind]) if self.kind in WRONG else 0.0


def survey(plan: str, kind: str, worlds: int) -> Found:
    claim = next(c for c in paper().claims if c.id == plan.split("/")[0])
    truth = true_estimates(claim, plan, kind)
    words: collections.Counter[str] = collections.Counter()
    intervals = covering = 0
    for verdict in judged(claim, plan, kind, worlds):
        words[verdict.word] += 1
        for one in verdict.comparisons:
            value = truth.get(key(one), math.nan)
            if math.isfinite(value) and math.isfinite(one.interval.low):
                intervals += 1
                covering += int(one.interval.low <= value <= one.interval.high)
    shares = {word: words[word] / worlds for word in WORDS}
    return Found(plan, kind, worlds, shares, covering / intervals if intervals else math.nan)


def judged(claim: Claim, plan: str, kind: str, worlds: int) -> Iterator[Verdict]:
    seeds = np.random.SeedSequence([sum(map(ord, plan)), KINDS.index(kind)]).spawn(worlds)
    for start in range(0, worlds, AT_ONCE):
        some = [plant(plan, kind, np.random.default_rng(s)) for s in seeds[start : start + AT_ONCE]]
        evidence = ManyWorlds(some)
        for evidence.world in range(len(some)):
            yield judge_claim(claim, evidence)


def true_estimates(claim: Claim, plan: str, kind: str) -> dict[tuple[str, str], float]:
    """Return what each comparison would estimate without noise, or what is known to be planted."""
    if plan in TRUTHS:
        found = TRUTHS[plan](kind)
        verdict = judge_claim(claim, Evidence(MemoryResults(plant(plan, kind, _rng(0)))))
        return {key(one): found(one.name) for one in verdict.comparisons}
    silent = judge_claim(claim, Evidence(MemoryResults(plant(plan, kind, Silent(0)))))
    estimates = {key(one): one.interval.estimate for one in silent.comparisons}
    return {
        k: v if abs(v) > ROUNDING or claim.rule != "straight" else math.nan
        for k, v in estimates.items()
    }


def key(one: Comparison) -> tuple[str, str]:
    return one.name, one.benchmark


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def coverage(found: list[Found]) -> dict[str, float]:
    """Return, by plan, how often its intervals cover the truth, over the worlds of all kinds."""
    shares = {}
    for plan in dict.fromkeys(one.plan for one in found):
        own = [one for one in found if one.plan == plan and math.isfinite(one.covered)]
        worlds = sum(one.worlds for one in own)
        shares[plan] = sum(one.worlds * one.covered for one in own) / worlds
    return shares


def failures(found: list[Found]) -> list[str]:
    said = []
    for one in found:
        allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / one.worlds)
        if one.wrong > allowed:
            said.append(f"{one.plan}, {one.kind}: {one.wrong:.1%} wrong, {allowed:.1%} allowed")
    for plan, share in coverage(found).items():
        if not COVERAGE[0] <= share <= COVERAGE[1]:
            said.append(f"{plan}: intervals cover {share:.1%}")
    return said


def table(found: list[Found]) -> str:
    """Return the figures as Markdown: a row a plan, shares in percent."""
    covered = coverage(found)
    lines = [
        "| claim | true: supported / contradicted | false: contradicted / supported "
        "| border: supported | undecidable: not decided | intervals cover |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for plan in covered:
        by = {one.kind: one for one in found if one.plan == plan}
        cells = [
            f"{by['true'].share('supported'):.1%} / {by['true'].wrong:.1%}",
            f"{by['false'].share('contradicted'):.1%} / {by['false'].wrong:.1%}",
            f"{by['border'].wrong:.1%}",
            f"{by['undecidable'].share('not decided'):.1%}",
            f"{covered[plan]:.1%}",
        ]
        lines.append(f"| {plan} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write(
    out: Path, found: list[Found], worlds: dict[str, int], seconds: float, said: list[str]
) -> None:
    counts = f"--worlds {worlds['border']} --clear {worlds['true']}"
    content = {
        "command": f"python tests/benchmarks/analysis_worlds.py {counts}",
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "claims_sha256": paper().sha256,
        "core_seconds": round(seconds),
        "failures": said,
        "coverage": {plan: round(share, 3) for plan, share in coverage(found).items()},
        "kinds": [_rounded(one) for one in found],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    head = (
        f"# Verdicts in {sum(worlds.values())} planted campaigns a claim\n\n"
        f"`{content['command']}`: {round(seconds / 60)} minutes of one core. Wrong verdicts may be "
        "5 % (with three standard errors), intervals should cover the truth in 93 to 97 %. "
        f"Outside of that: {'; '.join(said) or 'none'}.\n\n"
    )
    out.with_suffix(".md").write_text(head + table(found))


def _rounded(one: Found) -> dict[str, object]:
    verdicts = {word: round(share, 3) for word, share in one.verdicts.items()}
    covered = round(one.covered, 3) if math.isfinite(one.covered) else None
    return asdict(one) | {"verdicts": verdicts, "covered": covered}


def _timed(job: tuple[str, str, int]) -> tuple[Found, float]:
    started = time.process_time()
    return survey(*job), time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--clear", type=int, default=60)
    parser.add_argument("--claim", choices=PLANTS, help="only this one")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.md")
    arguments = parser.parse_args()
    plans = [arguments.claim] if arguments.claim else list(PLANTS)
    worlds = dict.fromkeys(KINDS, arguments.clear) | {"border": arguments.worlds}
    jobs = [(plan, kind, worlds[kind]) for plan in plans for kind in KINDS]
    print(f"{'claim':40} {'planted':12}" + "".join(f"{word:>14}" for word in WORDS) + "  covered")
    found, seconds = [], 0.0
    with ProcessPoolExecutor(arguments.processes) as pool:
        for one, took in pool.map(_timed, jobs):
            found.append(one)
            seconds += took
            shares = "".join(f"{one.share(word):14.3f}" for word in WORDS)
            print(f"{one.plan:40} {one.kind:12}{shares}{one.covered:9.3f}", flush=True)
    said = failures(found)
    print(f"{seconds:.0f} core-seconds; outside of what is allowed:", *(said or ["none"]), sep="\n")
    if arguments.out:
        write(arguments.out, found, worlds, seconds, said)
    sys.exit(bool(said))


if __name__ == "__main__":
    main()
