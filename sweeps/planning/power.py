"""Power by simulation: how often a sweep will decide each claim of the paper, if it is true.

Runs with made-up errors are written for the whole design and given to the rules of `analysis`, as
the real ones will be. Only what the rules say of the design is used: the comparisons that it
allows, and how many runs each has. The power follows from the number of runs, the deviation
between seeds, and the gap that the claim is about.
"""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy

import analysis
from analysis.paper.chances import chance as chance_of_all
from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Evidence
from analysis.paper.rules import RULES, Comparison, Finding, Missing
from analysis.printed import activation_name
from analysis.statistics.intervals import UNKNOWN, pooled_deviation
from analysis.statistics.power import power_of
from analysis.store.contract import Row
from analysis.store.errors import StoreError, StoreWarning
from analysis.store.schema import EPOCHS, RUNS, SWEEPS
from polyneuron import activation_class
from sweeps.driver.rows import sweep_row
from sweeps.spec.reading import load_spec
from sweeps.spec.repetitions import seeds_of
from sweeps.spec.search_space import configure, grid, trial_count
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.rows import run_columns
from trainers import RunConfig

ENOUGH_FREEDOM = 10
"""Degrees of freedom from which the deviation of earlier runs replaces the assumed one: its 95 %
interval is then within 0.7 and 1.8 times the estimate."""


@dataclass(frozen=True)
class Prospect:
    """The power with which a design can decide one claim."""

    claim: str
    comparison: str
    """The hardest of those that the claim needs; where one of several is enough, the easiest."""
    runs: tuple[int, int] = (0, 0)
    power: float | None = None
    """Probability that the whole claim is decided if it is true; None: no gap is stated."""
    seeds_needed: int | None = None
    """Seeds a trial for a power of 80 %."""
    lacking: str = ""
    """Why the claim cannot be decided by this sweep alone."""


@dataclass(frozen=True)
class Deviation:
    """The standard deviation between runs of one configuration that differ by their seed."""

    points: float
    """Of validation error, in percent."""
    source: str
    """The origin of the deviation, in words."""


def deviation(spec: SweepSpec, root: Path) -> Deviation | None:
    """Return the deviation of earlier runs, else the one assumed of the benchmark, else None."""
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
    # claims.toml states half the 95 % range of the difference between two means of five runs.
    return Deviation(tolerance / (1.96 * math.sqrt(2 / 5)), "assumed of this benchmark")


def prospects(spec: SweepSpec, points: float) -> list[Prospect]:
    """Return the power of the sweep's design for each claim that it is about.

    A claim that takes several sweeps is judged by all of them, the others as they are bundled.

    Args:
        spec: a confirmatory sweep.
        points: standard deviation between runs of one configuration, in percent of error.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # a simulated run has the two epochs that rules ask for, and lost none
        warnings.simplefilter("ignore", StoreWarning)
        evidence_of = cache(lambda names: _simulated(spec, names, points, Path(folder)))
        return [
            one
            for claim in paper().claims
            if claim.rule in RULES and claim.benchmark == spec.benchmark
            for one in _prospect(spec, claim, evidence_of(_companions(spec, claim)), points)
        ]


def _companions(spec: SweepSpec, claim: Claim) -> tuple[str, ...]:
    """Name the sweeps beside this one that it takes to decide the claim."""
    return tuple(n for n in claim.sweeps if n != spec.name) if spec.name in claim.sweeps else ()


def _simulated(spec: SweepSpec, companions: Sequence[str], points: float, folder: Path) -> Evidence:
    root = folder / "-".join([spec.name, *companions])
    for one in (spec, *map(load_spec, companions)):
        _write_simulated_runs(one, points, SweepPaths(root, one.name, tables_at=None))
    return Evidence(analysis.load(root))


def _write_simulated_runs(spec: SweepSpec, points: float, paths: SweepPaths) -> None:
    """Write runs of which each configuration's have the same mean and exactly this deviation."""
    writer = paths.store.writer("simulation")
    writer.write(SWEEPS, [sweep_row(spec, trial_count(spec))])
    normal = _standard_normal(len(spec.seeds))
    of_seed = dict(zip(spec.seeds, map(float, normal), strict=True))
    configs = [
        (trial, RunConfig.of(configure(spec, point), seed), of_seed[seed])
        for trial, point in enumerate(grid(spec))
        for seed in seeds_of(spec, point)
    ]
    writer.write(RUNS, [_run(spec, config, trial, points, z) for trial, config, z in configs])
    writer.write(
        EPOCHS, [row for _, config, z in configs for row in _epochs(spec, config, points * z)]
    )


def _standard_normal(count: int) -> npt.NDArray[np.float64]:
    """Return quantiles of a normal distribution (count,), scaled to a deviation of exactly 1."""
    if count == 1:
        return np.zeros(1)
    z: npt.NDArray[np.float64] = scipy.stats.norm.ppf((np.arange(count) + 0.5) / count)
    return np.asarray(z / z.std(ddof=1), np.float64)


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
        "device": "simulation",
        "started_at": now,
        "ended_at": now,
    }


def _epochs(spec: SweepSpec, config: RunConfig, error: float) -> list[Row]:
    # No rule asks for more than an epoch before and one after a drop of the rate.
    # Times are those of the epochs after the first.
    rates = (1.0, spec.recipe.drop_factor if spec.recipe.drop_at else 1.0)
    return [
        {
            "sweep": spec.name,
            "run_id": config.run_id,
            "epoch": epoch,
            "learning_rate": rate * config.recipe.learning_rate,
            "val_error_percent": 10 + error,
            "epoch_seconds": math.exp(0.01 * error),
        }
        for epoch, rate in enumerate(rates, start=1)
    ]


def _prospect(spec: SweepSpec, claim: Claim, evidence: Evidence, points: float) -> list[Prospect]:
    measured = bool(claim.measures)
    rule = _measured if measured else RULES[claim.rule]
    evidence = evidence.meant_for(claim)
    outcomes = rule(claim, evidence, spec.benchmark)
    missing = [one for one in outcomes if isinstance(one, Missing)]
    parts = [one for one in outcomes if isinstance(one, Comparison)]
    if missing or not parts:
        meant = spec.name in claim.sweeps or claim.id in spec.claims
        lacks = _lacks(missing[0]) if missing else _departures(claim, evidence)
        return [Prospect(claim.id, "", lacking=lacks)] if meant else []
    chances = [(_power(part), part) for part in parts]
    known = [pair for pair in chances if pair[0] is not None]
    choose = max if claim.rule == "somewhere" else min
    chance, part = choose(known, key=lambda pair: pair[0] or 0.0) if known else chances[0]
    whole = chance_of_all(claim, parts, points)
    others = _companions(spec, claim)
    lacking = f"needs {' and '.join(others)} as well" if others else ""
    needed = part.seeds_needed if chance is not None else None
    if whole is not None:
        chance, needed = whole.power, whole.runs_needed
    return [Prospect(claim.id, part.name, part.runs, chance, needed, lacking)]


def _lacks(missing: Missing) -> str:
    return ": ".join(filter(None, (missing.name, missing.reason)))


def _departures(claim: Claim, evidence: Evidence) -> str:
    """Say why the claim's rule may use none of the runs."""
    found = evidence.runs["literal_departures" if claim.literal else "departures"]
    departures = frozenset[str]().union(*found) - set(claim.free)
    return f"departs from the paper in {', '.join(sorted(departures)) or 'its activations'}"


def _measured(claim: Claim, evidence: Evidence, benchmark: str) -> list[Finding]:
    """Count the runs of a claim about shapes of splines, as simulated runs have no splines."""
    factor = claim.factor
    column = "activation" if factor is None else factor["column"]
    arms = {key[0]: arm for key, arm in evidence.arms(claim, benchmark, [column]).items()}
    if factor is None:
        needed = [name for name in claim.activations if activation_class(name).splines]
    else:
        needed = [factor["reference"], *factor["required"]]
    outcomes: list[Finding] = []
    for value in needed if arms else ():
        arm = next((arm for key, arm in arms.items() if key == value), None)
        runs = 0 if arm is None else arm.runs
        name = activation_name(value) if factor is None else f"{column} = {value:g}"
        if arm is None or runs < claim.minimum_runs:
            reason = f"{runs} runs, and it takes {claim.minimum_runs}"
            outcomes.append(Missing(name, benchmark, reason))
        else:
            outcomes.append(Comparison(name, benchmark, (arm,), (), "", UNKNOWN))
    return outcomes


def _power(part: Comparison) -> float | None:
    if part.question is None or not (part.question[1] and part.deviation > 0):
        return None
    return power_of(*part.question, part.deviation, min(part.runs), 1 - part.confidence)
