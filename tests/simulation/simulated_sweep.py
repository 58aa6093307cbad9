"""A whole sweep in a simulation: driven, killed, resumed, and looked at in the end.

    python tests/simulation/simulated_sweep.py --seeds 2000

Only Ray, the clock, the disk's calls and the training are replaced. Store, study, searcher,
dispatcher, watch and recorder are the product's own. Everything follows from the seed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import pytest
from simulated_cluster import Cluster, Faults
from simulated_database import quick_storage
from simulated_processes import PLACES, Disk, Killed, faulty
from simulated_training import Training, error_percent

import analysis
from analysis.measures.rows import records
from analysis.store import open_files, reading
from analysis.store.errors import StoreError, StoreWarning
from analysis.store.statuses import Status
from sweeps.driver import continuation, driver
from sweeps.driver.continuation import Request
from sweeps.driver.preparation import Prepared
from sweeps.driver.rows import TrialRows
from sweeps.driver.sweep import Sweep
from sweeps.search import databases
from sweeps.search.open_trials import OpenTrial
from sweeps.search.searcher import StudySearcher
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import trial_count
from sweeps.spec.sections import SweepSpec
from sweeps.store import recorder
from sweeps.store.paths import SweepPaths
from sweeps.workers import trial
from sweeps.workers.dispatch import train_trials
from sweeps.workers.environment import CutOffError
from sweeps.workers.watch import Watch

ROUNDS, FAULTY = 20, 3
"""Drivers that a sweep may use up; those after the first three meet no faults."""
LONGEST_SECONDS = 20_000.0
"""Most virtual time of a driver: ten hung workers, one after the other, take 1,000."""


class AtOnce(Executor):
    """Stands for a pool of threads: it does the work where it is asked to."""

    def __init__(self, threads: int = 0) -> None:
        del threads

    def submit(self, work: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except Exception as error:
            done.set_exception(error)
        return done


@dataclass
class Outcome:
    """What became of a simulated sweep."""

    seed: int
    faults: list[str] = field(default_factory=list)
    """What is wrong; empty where all is well."""
    counts: Counter[str] = field(default_factory=Counter)
    """Injected faults by kind."""
    drivers: int = 0


def spec_of(chance: random.Random) -> SweepSpec:
    """Draw a small grid."""
    rates = [1e-4 * 2**place for place in range(chance.randint(2, 5))]
    return parse_spec(
        {
            "name": "simulated",
            "data": "digits",
            "recipe": {"epochs": chance.randint(1, 3)},
            "activation": "relu",
            "space": {"learning_rate": {"grid": rates}},
            "search": "grid",
            "seeds": chance.randint(1, 2),
            "limits": {"silence_seconds": 20},
        }
    )


def faults_of(chance: random.Random) -> Faults:
    """Draw how often each kind of fault comes: in many sweeps, some kinds never."""

    def rate(most: float) -> float:
        return chance.choice([0.0, 0.0, most / 4, most])

    return Faults(
        kill=rate(0.1),
        hang=rate(0.1),
        delay=rate(0.3),
        kill_driver=rate(0.1),
        kill_at_disk=rate(0.03),
        disk_error=rate(0.02),
        share=rate(0.2),
    )


def simulate(seed: int) -> Outcome:
    """Run a sweep under the faults of a seed until it is complete, and look at what it left."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    chance = random.Random(seed)
    spec, faults, workers = spec_of(chance), faults_of(chance), chance.randint(1, 3)
    outcome, folder = Outcome(seed), Path(tempfile.mkdtemp(dir=PLACES))
    disk = Disk(chance)
    try:
        with pytest.MonkeyPatch.context() as patch, faulty(disk), warnings.catch_warnings():
            # The disk loses and cuts what is being written, never what was written.
            warnings.simplefilter("error", StoreWarning)
            patch.setattr(recorder, "BESIDE", AtOnce())
            patch.setattr(open_files, "ThreadPoolExecutor", AtOnce)
            patch.setattr(reading, "ThreadPoolExecutor", AtOnce)
            patch.setattr(databases, "RDBStorage", quick_storage)
            paths = SweepPaths(folder, spec.name)
            clusters: list[Cluster] = []
            training = Training(lambda: clusters[-1].step())
            patch.setattr(trial, "train", training)
            for number in range(ROUNDS):
                outcome.drivers += 1
                allowed = faults if number < FAULTY else Faults()
                opened = _opened(spec, paths)
                if _drive(opened, spec, paths, workers, chance, disk, allowed, training, clusters):
                    break
            outcome.faults += looked_at(spec, paths, training)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcome.counts.update(disk.counts)
    return outcome


def _opened(spec: SweepSpec, paths: SweepPaths) -> AbstractContextManager[Sweep]:
    prepared = Prepared(spec, Path("/nowhere"), ())
    if not paths.spec.exists():
        paths.check_free()
        return driver._new_sweep(prepared, paths, tensorboard=False)
    return continuation._reopened(prepared, paths, Request(retry_errors=True))


def _drive(
    opened: AbstractContextManager[Sweep],
    spec: SweepSpec,
    paths: SweepPaths,
    workers: int,
    chance: random.Random,
    disk: Disk,
    faults: Faults,
    training: Training,
    clusters: list[Cluster],
) -> bool:
    """Do what `sweeps.driver.driver` does, with simulated workers; True: the sweep is complete."""
    disk.processes.clear()
    disk.driver_killed = False
    cluster = Cluster(spec, paths, workers, chance, disk, faults, training)
    clusters.append(cluster)
    try:
        disk.kills, disk.errors = faults.kill_at_disk, faults.disk_error
        with opened as sweep:
            rows = TrialRows(sweep.paths.sweep, sweep.writer, cluster.clock)

            def on_change(one: OpenTrial) -> None:
                rows.note(one)
                sweep.view.update(one)

            def record() -> None:
                sweep.study.save()
                rows.write()

            def stop_reason() -> str:
                return "too long" if cluster.now > LONGEST_SECONDS else ""

            searcher = StudySearcher(spec, sweep.study, sweep.judge, on_change, sweep.work)
            if sweep.work.trials:
                watch = Watch(spec.limits, spec.recipe.epochs, cluster.clock)
                reason = train_trials(
                    searcher, cluster, record, stop_reason, watch, now=cluster.clock
                )
                assert not reason, f"{cluster.now:.0f} s of virtual time did not suffice"
            cluster.close(steps=0)
            rows.write(now=True)
            sweep.finish()
            return sweep.view.counts.get(Status.COMPLETED, 0) == trial_count(spec)
    except (Killed, OSError, CutOffError, StoreError):
        return False
    finally:
        disk.kills = disk.errors = 0.0
        # Workers of a driver that is gone may go on for a moment.
        cluster.close(steps=chance.choice([0, 0, 3, 10]))


def looked_at(spec: SweepSpec, paths: SweepPaths, training: Training) -> list[str]:
    """Compare what a sweep left with what an undisturbed one finds; list what is wrong."""
    results = analysis.load(paths.folder)
    found = [f"{run} was trained again after its end" for run in training.doubled]
    trials, runs = results.trials, results.runs
    count = trial_count(spec)
    # A trial that ended in an error stays as it is: its next attempt has a number of its own.
    statuses = trials["status"].astype(str)
    trials = trials[statuses == "completed"]
    if set(statuses) - {"completed", "error"}:
        found.append(f"trials ended as {sorted(set(statuses))}")
    if len(trials) != count or trials["config_id"].duplicated().any():
        found.append(f"{len(trials)} trials completed, of {count} configurations")
    if len(runs) != count * len(spec.seeds) or runs["run_id"].duplicated().any():
        found.append(f"{len(runs)} runs of {count * len(spec.seeds)}")
    if set(runs["status"].astype(str)) != {"completed"}:
        found.append(f"runs ended as {sorted(set(runs['status'].astype(str)))}")
    epochs: dict[str, dict[int, float]] = {}
    for row in records(results.table("epochs", ["val_error_percent"])):
        epochs.setdefault(row["run_id"], {})[row["epoch"]] = row["val_error_percent"]
    for run_id, errors in epochs.items():
        numbers = range(1, spec.recipe.epochs + 1)
        if errors != {epoch: error_percent(run_id, epoch) for epoch in numbers}:
            found.append(f"{run_id} has epochs {list(errors)} or other errors")
    last = runs.set_index("run_id")["last_val_error_percent"]
    for row in records(trials[["trial", "config_id", "objective"]]):
        mine = [
            error_percent(run, spec.recipe.epochs)
            for run in last.index
            if run.startswith(f"{row['config_id']}-")
        ]
        if mine and abs(row["objective"] - sum(mine) / len(mine)) > 1e-9:
            found.append(f"trial {row['trial']} has objective {row['objective']}")
    storage = quick_storage(f"sqlite:///{paths.study}", {})
    study = optuna.load_study(study_name=spec.name, storage=storage)
    states = Counter(one.state.name for one in study.trials)
    if states.pop("FAIL", 0) != (statuses == "error").sum() or states != {"COMPLETE": count}:
        found.append(f"the study has {dict(states)} of {count} trials")
    return found


def main() -> None:
    """Simulate; the exit code says whether any seed found something wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    began, counts, drivers, wrong = time.perf_counter(), Counter[str](), 0, {}
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for outcome in pool.imap_unordered(simulate, seeds):
            counts += outcome.counts
            drivers += outcome.drivers
            if outcome.faults:
                wrong[outcome.seed] = outcome.faults
                told = "; ".join(outcome.faults)
                print(f"seed {outcome.seed}: {told}", file=sys.stderr, flush=True)
    report = {
        "sweeps": arguments.seeds,
        "injected": dict(counts),
        "drivers": drivers,
        "tables equal": arguments.seeds - len(wrong),
        "seconds": round(time.perf_counter() - began, 1),
    }
    print(json.dumps(report))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
