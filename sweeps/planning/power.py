"""A sweep acted out with made-up errors, to see on which claims of the paper it can speak.

The rules of `analysis` are given the made-up runs as they will be given the real ones. Of what
they say only the design counts: which comparisons it allows, of how many runs each, and how often
so many would find what the claim says.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import scipy

import analysis
from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Evidence
from analysis.paper.rules import RULES, Missing, Outcome, Part
from analysis.printed import ACTIVATIONS
from analysis.statistics.intervals import Interval, pooled_deviation
from analysis.statistics.power import power
from analysis.store.contract import Row
from analysis.store.errors import StoreError
from analysis.store.schema import EPOCHS, RUNS, SWEEPS
from polyneuron import activation_class
from sweeps.driver.driver import sweep_row
from sweeps.spec.search_space import configure, grid, trial_count
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.rows import run_columns
from trainers import RunConfig

ENOUGH_FREEDOM = 10
"""Degrees of freedom from which a deviation of earlier runs is better than the assumed one: its
95 % interval is then within 0.7 and 1.8 times the estimate."""


@dataclass(frozen=True)
class Prospect:
    """What a design can do for one claim."""

    claim: str
    comparison: str
    """The one that is hardest to decide; of a claim that needs one of several, the easiest."""
    runs: tuple[int, int] = (0, 0)
    power: float | None = None
    """How often it is decided if the claim is true; None where no gap is stated to look for."""
    seeds_needed: int | None = None
    """Seeds a trial for a power of 80 %."""
    lacking: str = ""
    """Why the claim cannot be decided by this sweep alone."""


@dataclass(frozen=True)
class Deviation:
    """How far runs of one configuration lie apart, in points of validation error."""

    points: float
    source: str


def deviation(spec: SweepSpec, root: Path) -> Deviation | None:
    """Take the deviation between seeds from earlier runs; else the one assumed of the benchmark."""
    try:
        runs = analysis.load(root).runs
    except StoreError:
        runs = None
    if runs is not None:
        alike = runs[
            (runs["benchmark"] == spec.benchmark)
            & (runs["status"] == "completed")
            & (runs["validation"] == spec.data.validation)
            & (runs["epochs_planned"] == spec.recipe.epochs)
        ]
        by_config = alike.groupby("config_id", observed=True)["last_val_error_percent"]
        samples = [group.to_numpy(float) for _, group in by_config]
        points, freedom = pooled_deviation(samples) if samples else (math.nan, 0)
        if freedom >= ENOUGH_FREEDOM and points > 0:
            return Deviation(points, f"measured on {len(alike)} earlier runs")
    tolerance = paper().tolerance.get(spec.benchmark)
    if tolerance is None:
        return None
    # claims.toml: half the 95 % range of the difference of two means of five runs.
    return Deviation(tolerance / (1.96 * math.sqrt(2 / 5)), "assumed of this benchmark")


def prospects(spec: SweepSpec, points: float) -> list[Prospect]:
    """Say what the sweep's design can do for each claim that it touches.

    Args:
        spec: a confirmatory sweep.
        points: the deviation between runs of one configuration.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = SweepPaths(Path(folder), spec.name)
        _act_out(spec, points, paths)
        evidence = Evidence(analysis.load(paths.folder))
        claims = [claim for claim in paper().claims if claim.rule in RULES]
        return [one for claim in claims for one in _prospect(spec, claim, evidence)]


def _act_out(spec: SweepSpec, points: float, paths: SweepPaths) -> None:
    """Write runs whose every cell has exactly the given deviation and the same mean."""
    writer = paths.store.writer("rehearsal")
    writer.write(SWEEPS, [sweep_row(spec, trial_count(spec))])
    normal = _standard_normal(len(spec.seeds))
    configs = [
        (trial, RunConfig.of(configure(spec, point), seed), float(z))
        for trial, point in enumerate(grid(spec))
        for seed, z in zip(spec.seeds, normal, strict=True)
    ]
    writer.write(RUNS, [_run(spec, config, trial, points, z) for trial, config, z in configs])
    writer.write(
        EPOCHS, [row for _, config, z in configs for row in _epochs(spec, config, points * z)]
    )


def _standard_normal(count: int) -> np.ndarray:
    """Return the quantiles of a normal distribution, scaled to a deviation of exactly 1."""
    if count == 1:
        return np.zeros(1)
    z = scipy.stats.norm.ppf((np.arange(count) + 0.5) / count)
    return z / z.std(ddof=1)


def _run(spec: SweepSpec, config: RunConfig, trial: int, points: float, z: float) -> Row:
    now = datetime.now(UTC)
    return {
        **run_columns(config),
        "sweep": spec.name,
        "run_id": config.run_id,
        "trial": trial,
        "status": "completed",
        "epochs_done": spec.recipe.epochs,
        "last_val_error_percent": 10 + points * z,
        "best_val_error_percent": 10 + points * z,
        "epoch_seconds": math.exp(0.01 * z),
        "device": "rehearsal",
        "started_at": now,
        "ended_at": now,
    }


def _epochs(spec: SweepSpec, config: RunConfig, error: float) -> list[Row]:
    """Two epochs, before and after a drop of the rate, are as many as any rule asks for."""
    rates = (1.0, spec.recipe.drop_factor) if spec.recipe.drop_at else (1.0,)
    return [
        {
            "sweep": spec.name,
            "run_id": config.run_id,
            "epoch": epoch,
            "learning_rate": rate * config.recipe.learning_rate,
            "val_error_percent": 10 + error,
        }
        for epoch, rate in enumerate(rates, start=1)
    ]


def _prospect(spec: SweepSpec, claim: Claim, evidence: Evidence) -> list[Prospect]:
    if claim.benchmarks and spec.benchmark not in claim.benchmarks:
        return []
    measured = bool(claim.measures)
    rule = _measured if measured else RULES[claim.rule]
    outcomes = rule(claim, evidence, spec.benchmark)
    missing = [one for one in outcomes if isinstance(one, Missing)]
    parts = [one for one in outcomes if isinstance(one, Part)]
    if missing or not parts:
        meant = spec.name in claim.sweeps or claim.id in spec.claims
        lacks = _lacks(missing[0]) if missing else _departures(claim, evidence)
        return [Prospect(claim.id, "", lacking=lacks)] if meant else []
    chances = [(_power(part), part) for part in parts]
    known = [pair for pair in chances if pair[0] is not None]
    choose = max if claim.rule == "somewhere" else min
    chance, part = choose(known, key=lambda pair: pair[0] or 0.0) if known else chances[0]
    others = [name for name in claim.benchmarks if name != spec.benchmark]
    lacking = f"needs {' and '.join(others)} as well" if others else ""
    needed = part.seeds_needed if chance is not None else None
    return [Prospect(claim.id, part.name, part.runs, chance, needed, lacking)]


def _lacks(missing: Missing) -> str:
    return ": ".join(filter(None, (missing.name, missing.reason)))


def _departures(claim: Claim, evidence: Evidence) -> str:
    """Say why none of the runs may speak on a claim."""
    departures = frozenset[str]().union(*evidence.runs["departures"]) - set(claim.free)
    return f"departs from the paper in {', '.join(sorted(departures)) or 'its activations'}"


def _measured(claim: Claim, evidence: Evidence, benchmark: str) -> list[Outcome]:
    """Count the runs of a claim about the shapes of splines, which made-up runs do not have."""
    factor = claim.factor
    column = "activation" if factor is None else factor["column"]
    arms = {key[0]: arm for key, arm in evidence.arms(claim, benchmark, [column]).items()}
    if factor is None:
        needed = [name for name in claim.activations if activation_class(name).splines]
    else:
        needed = [factor["reference"], *factor["required"]]
    outcomes: list[Outcome] = []
    for value in needed if arms else ():
        arm = next((arm for key, arm in arms.items() if key == value), None)
        runs = 0 if arm is None else arm.runs
        name = ACTIVATIONS.get(value, value) if factor is None else f"{column} = {value:g}"
        if arm is None or runs < claim.minimum_runs:
            reason = f"{runs} runs, and it takes {claim.minimum_runs}"
            outcomes.append(Missing(name, benchmark, reason))
        else:
            outcomes.append(_shape_part(name, benchmark, runs, arm.cell.run_ids))
    return outcomes


def _shape_part(name: str, benchmark: str, runs: int, ids: tuple[str, ...]) -> Part:
    unknown = Interval(math.nan, math.nan, math.nan)
    return Part(name, benchmark, "", unknown, 0.0, False, 1.0, 1.0, (runs, 0), (0, 0), 0, ids)


def _power(part: Part) -> float | None:
    if part.question is None or not (part.question[1] and part.deviation > 0):
        return None
    return power(*part.question, part.deviation, min(part.runs))
