"""What a trial costs the driver in its study: our writer against Optuna's own storages.

    python tests/benchmarks/study_storage.py                  # 1,000 trials, 3 rounds, into JSON
    python tests/benchmarks/study_storage.py --folder /dev/shm

A trial is what a sweep makes of one: drawn with two parameters, named by its configuration, put on
record before a worker may have it, three epochs reported, its end told. The rest of a driver's
work, workers' messages and rows of results, is the same whatever keeps the study. Random search,
so that the time is the storage's and not a model's. The storages take turns in each round, as the
machine may be busy with other things; the disk's own time for a durable write stands beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import optuna
import sqlalchemy as sa
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from sweeps.search.sampling import draw_parameters, make_sampler
from sweeps.search.study import SweepStudy, create_study
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import configure
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import versions

RESULTS = Path(__file__).parent / "results" / "study_storage.json"
EPOCHS = 3


def spec_of(trials: int) -> SweepSpec:
    space = {"learning_rate": {"log": [1e-4, 1e-2]}, "weight_decay": {"log": [1e-6, 1e-3]}}
    search = {"algorithm": "random", "trials": trials}
    return parse_spec({"name": "stored", "data": "digits", "space": space, "search": search})


class PlainStudy:
    """A study of Optuna's own, which commits each call by itself."""

    def __init__(self, spec: SweepSpec, storage: BaseStorage) -> None:
        self._study = optuna.create_study(
            study_name=spec.name, storage=storage, sampler=make_sampler(spec)
        )
        self.ask = self._study.ask

    def report(self, trial: optuna.Trial, value: float, step: int) -> None:
        trial.report(value, step)

    def tell(self, trial: optuna.Trial, status: str, values: list[float]) -> None:
        trial.set_user_attr("status", status)
        self._study.tell(trial, values)

    def save(self) -> None:
        """Everything is saved already."""


def ours(spec: SweepSpec, folder: Path) -> SweepStudy:
    paths = SweepPaths(folder, spec.name)
    paths.create()
    return create_study(spec, paths)


def rdb(spec: SweepSpec, folder: Path) -> PlainStudy:
    return PlainStudy(spec, RDBStorage(f"sqlite:///{folder}/study.db"))


def rdb_with_log(spec: SweepSpec, folder: Path) -> PlainStudy:
    """SQLite's write-ahead log: one wait for the disk a commit, not four."""
    storage = RDBStorage(f"sqlite:///{folder}/study.db")
    with storage.engine.connect() as connection:
        connection.execute(sa.text("PRAGMA journal_mode=WAL"))  # a property of the file, kept in it
    return PlainStudy(spec, storage)


def journal(spec: SweepSpec, folder: Path) -> PlainStudy:
    return PlainStudy(spec, JournalStorage(JournalFileBackend(f"{folder}/study.log")))


STUDIES: dict[str, Callable[[SweepSpec, Path], SweepStudy | PlainStudy]] = {
    "ours": ours,
    "RDBStorage": rdb,
    "RDBStorage, write-ahead log": rdb_with_log,
    "JournalStorage": journal,
}


def work(study: SweepStudy | PlainStudy, spec: SweepSpec, trials: int) -> dict[str, float]:
    """Return milliseconds a trial: of the clock (median, quantiles) and of the processor (mean)."""
    costs = []
    processor = time.process_time()
    for number in range(trials):
        started = time.perf_counter()
        trial = study.ask()
        params = draw_parameters(spec, trial)
        trial.set_user_attr("config_id", configure(spec, params).config_id)
        study.save()  # and with it the end of the trial before, as the driver does
        for epoch in range(1, EPOCHS + 1):
            study.report(trial, 50.0 - epoch, epoch)
        study.tell(trial, "completed", [float(number)])
        costs.append(1e3 * (time.perf_counter() - started))
    study.save()
    processor = 1e3 * (time.process_time() - processor) / trials
    tenths = statistics.quantiles(costs, n=10)
    return {
        "median": statistics.median(costs),
        "p10": tenths[0],
        "p90": tenths[-1],
        "processor": processor,
    }


def durable_write_milliseconds(folder: Path) -> float:
    """Measure the disk: the median time in which 4 kB are appended to a file and synced."""
    times = []
    with (folder / "probe").open("wb") as file:
        for _ in range(100):
            started = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times)


def main() -> None:
    """Measure, print a table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="on whose disk; default: the temporary one")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spec = spec_of(arguments.trials)
    rounds: list[dict[str, object]] = []
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            one = {"load": os.getloadavg()[0]}
            one["durable_write_milliseconds"] = durable_write_milliseconds(Path(folder))
            for name, open_study in STUDIES.items():
                own = Path(folder) / name.replace(" ", "-")
                own.mkdir()
                one[name] = work(open_study(spec, own), spec, arguments.trials)
                print(f"{name}: {one[name]}", flush=True)
        rounds.append(one)
        best = {
            name: {kind: min(one[name][kind] for one in rounds) for kind in ("median", "processor")}
            for name in STUDIES
        }
        result = {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
            "versions": versions(),
            "trials": arguments.trials,
            "milliseconds_a_trial_in_the_best_round": best,
            "rounds": rounds,
        }
        arguments.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    for name, costs in best.items():
        print(f"{name:30} {costs['median']:7.1f} ms, {costs['processor']:6.1f} of the processor")


if __name__ == "__main__":
    main()
