"""Campaigns of Table 1 without any difference, through stores, evidence and the report's tables.

Whatever is added to them, no verdict may be that one activation is better.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import numpy as np
from planted_errors import FIVE
from synthetic_store import START, SyntheticSweep, configuration
from worlds import MemoryResults

from analysis.paper.claims import paper
from analysis.paper.evidence import Evidence
from analysis.paper.verdicts import Verdict, judge_all
from analysis.paper.words import Word
from analysis.reporting.sections.claims import claim_sections, table1_section

LOOKS, SEEDS = 2, 5
"""Instalments, and the seeds of each."""

DECIDED = (Word.SUPPORTED, Word.CONTRADICTED)
WRONG = {
    claim.id: DECIDED if claim.rule == "better" else (Word.CONTRADICTED,)
    for claim in paper().claims
    if claim.rule in ("better", "no_gain") and claim.sweeps == ("table1_lenet5",)
}
"""The words that are wrong where all activations err alike."""

Rows = list[dict]
Rng = np.random.Generator


def sweeps(rng: Rng, strike: Callable[[Rows, Rng], None]) -> list[SyntheticSweep]:
    """Return the instalments of a campaign, after `strike` has acted on the rows of each."""
    made = []
    for look in range(LOOKS):
        sweep = SyntheticSweep(f"look{look}", seeds=SEEDS)
        sweep.rows["sweeps"][0]["created_at"] = START + timedelta(days=look)
        for activation in FIVE:
            config = CONFIGURATIONS[activation]
            for seed in range(SEEDS):
                error = np.array([2 + rng.normal(0, 0.1)])
                run = sweep.add_run(config, SEEDS * look + seed, error, history=False)
                sweep.add_drop(run, 10 + rng.normal(0, 0.1), 2.0)
        strike(sweep.rows["runs"], rng)
        made.append(sweep)
    return made


CONFIGURATIONS = {name: configuration(activation=name) for name in FIVE}


def _of(rows: Rows, activation: str) -> Rows:
    return [row for row in rows if row["activation"] == activation]


def _nothing(rows: Rows, rng: Rng) -> None:
    return None


def _two_codes(rows: Rows, rng: Rng) -> None:
    """Another code trained half of the seeds of one arm, two points better."""
    for row in _of(rows, "polyneuron_r")[::2]:
        row |= {"code_version": "another", "last_val_error_percent": 0.1}


def _two_data(rows: Rows, rng: Rng) -> None:
    for row in _of(rows, "polyneuron_r")[::2]:
        row |= {"data_sha256": "e" * 64, "last_val_error_percent": 0.1}


def _unlisted_key(rows: Rows, rng: Rng) -> None:
    """A whole second arm, two points better, trained with a setting that the paper lacks."""
    for row in list(_of(rows, "polyneuron_r")):
        config = json.loads(row["config_json"])
        config["recipe"]["warm_up"] = 3
        other = {name: row[name] + "w" for name in ("config_id", "run_id")}
        error = {"config_json": json.dumps(config), "last_val_error_percent": 0.1}
        rows.append(row | other | error)


def _worst_lost(rows: Rows, rng: Rng) -> None:
    for row in _of(rows, "polyneuron_r"):
        if row["last_val_error_percent"] > 2.1:
            row |= {"status": "error"}


def _worst_diverged(rows: Rows, rng: Rng) -> None:
    for row in _of(rows, "polyneuron_r"):
        if row["last_val_error_percent"] > 2.1:
            row |= {"status": "diverged"}


def _one_arm_diverged(rows: Rows, rng: Rng) -> None:
    for row in _of(rows, "polyneuron_r"):
        row |= {"status": "diverged"}


def _equal(rows: Rows, rng: Rng) -> None:
    for row in rows:
        row["last_val_error_percent"] = 2 + 0.1 * FIVE.index(row["activation"])


KINDS: dict[str, Callable[[Rows, Rng], None]] = {
    "plain": _nothing,
    "two codes": _two_codes,
    "two data hashes": _two_data,
    "an unlisted key": _unlisted_key,
    "the worst of one arm lost": _worst_lost,
    "the worst of one arm diverged": _worst_diverged,
    "one arm all diverged": _one_arm_diverged,
    "equal values in each arm": _equal,
}


def verdicts(kind: str, number: int) -> dict[str, Verdict]:
    """Return the verdicts of one campaign's report, by claim, as its tables were printed."""
    rng = np.random.default_rng([number, *map(ord, kind)])
    results = MemoryResults(sweeps(rng, KINDS[kind]))
    found = judge_all([c for c in paper().claims if c.id in WRONG], Evidence(results))
    table1_section(results)
    claim_sections(results, found)
    return {one.claim.id: one for one in found}
