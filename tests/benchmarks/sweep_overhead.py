"""What a trial costs beside its training: this engine against plain Ray Tune, in one process.

    python tests/benchmarks/sweep_overhead.py            # 300 trials; a table, and JSON beside it
    python tests/benchmarks/sweep_overhead.py --trials 1000

A trivial trial is a real one: LeNet-5 with ReLU, one image, one epoch. Its control-plane time is
the time from its worker's start on it to the worker's start on the next one, less the run's own
parts, from data to checkpoints: search, start, report, tell, and the wait for the driver. Plain Ray
Tune runs a function that reports once, with OptunaSearch on an SQLite file; its figure is wall time
times slots, warm.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from sweeps.workers import environment as ray_environment

# Ray reads them when it is imported, so whatever may import it follows: E402.
ray_environment.set_ray_variables()

import optuna  # noqa: E402
import pandas as pd  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune.search.optuna import OptunaSearch  # noqa: E402
from rich.console import Console  # noqa: E402

import analysis  # noqa: E402
from sweeps.driver.driver import run_sweep  # noqa: E402
from sweeps.driver.preparation import prepare  # noqa: E402
from sweeps.spec.reading import parse_spec  # noqa: E402
from sweeps.spec.sections import ResourcesSection  # noqa: E402
from sweeps.store.provenance import versions  # noqa: E402
from sweeps.view.progress import SweepView  # noqa: E402
from sweeps.workers.cluster import cluster  # noqa: E402
from trainers.seconds import Seconds  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "sweep_overhead.json"
SLOTS = 2
WARM_UP = 10
"""Trials at the beginning that are not counted: processes start, torch is imported."""
COLUMNS = ("queue", "start", "data", "train", "report", "search")


def engine(trials: int, algorithm: str, root: Path) -> dict[str, object]:
    """Run trivial trials through the engine."""
    spec = parse_spec(
        {
            "name": f"trivial-{algorithm}",
            "data": {"name": "digits", "train_images": 1},
            "recipe": {"epochs": 1},
            "activation": "relu",
            "space": {
                "learning_rate": {"log": [1e-4, 1e-2]},
                "weight_decay": {"log": [1e-6, 1e-3]},
                "batch_size": {"int": [32, 256]},
            },
            "seeds": 1,
            "search": {"algorithm": algorithm, "trials": trials},
            "concurrency": SLOTS,
        }
    )
    memory: list[tuple[int, float]] = []
    over = threading.Event()
    view = root / spec.name / "progress.json"
    watch = threading.Thread(target=_watch_memory, args=(view, memory, over), daemon=True)
    watch.start()
    started = time.perf_counter()
    with Path(os.devnull).open("w") as nowhere:
        assert run_sweep(prepare(spec), root, Console(file=nowhere))
    wall = time.perf_counter() - started
    over.set()
    watch.join()
    table = analysis.load(root / spec.name).trials
    assert len(table) == trials
    assert set(table["status"]) == {"completed"}
    costs = control_plane(table)[WARM_UP:]
    return {
        "trials": trials,
        "search": algorithm,
        "control_plane_milliseconds": _quantiles(costs),
        "wall_seconds": wall,
        "columns_median_milliseconds": {
            name: 1e3 * float(table[f"{name}_seconds"][WARM_UP:].median()) for name in COLUMNS
        },
        "driver_megabytes": _by_trials(memory, trials),
    }


def control_plane(trials: pd.DataFrame) -> list[float]:
    """Return milliseconds a trial between a worker's starts, less what its run takes.

    Workers are told apart by their times: a trial belongs to the worker that ended its last one
    before, the latest of those.
    """
    free: list[tuple[float, float]] = []
    costs = []
    for _, trial in trials.sort_values("started_at").iterrows():
        start = trial["started_at"].timestamp()
        work = sum(trial[f"{part.name}_seconds"] for part in fields(Seconds))
        ended = [one for one in free if one[1] <= start]
        if ended:
            last = max(ended, key=lambda one: one[1])
            free.remove(last)
            costs.append(1e3 * (start - last[0]))
        free.append((start + work, start + work + trial["report_seconds"]))
    return costs


def ray_tune(trials: int, reuse: bool, folder: Path) -> dict[str, object]:
    """Run trivial trials through Ray Tune and its OptunaSearch as they come."""
    starts: list[float] = []

    class Starts(tune.Callback):
        def on_trial_start(self, iteration: int, trials: list, trial: object, **_: object) -> None:
            starts.append(time.perf_counter())

    def trivial(config: dict) -> None:
        tune.report({"error": config["learning_rate"]})

    storage = optuna.storages.RDBStorage(f"sqlite:///{folder}/plain-{reuse}.db")
    search = OptunaSearch(
        {"learning_rate": tune.loguniform(1e-4, 1e-2)},
        metric="error",
        mode="min",
        storage=storage,
        study_name="plain",
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    config = tune.TuneConfig(
        search_alg=search,
        num_samples=trials,
        max_concurrent_trials=SLOTS,
        reuse_actors=reuse,
        metric="error",
        mode="min",
    )
    run = tune.RunConfig(
        name=f"plain-{reuse}", storage_path=str(folder), verbose=0, callbacks=[Starts()]
    )
    with cluster(None, ResourcesSection()):
        tune.Tuner(trivial, tune_config=config, run_config=run).fit()
    warm = starts[len(starts) // 4 :]
    each = 1e3 * SLOTS * (warm[-1] - warm[0]) / (len(warm) - 1)
    return {"trials": trials, "reuse_actors": reuse, "milliseconds_a_trial_and_slot": each}


def _watch_memory(view: Path, memory: list[tuple[int, float]], over: threading.Event) -> None:
    """Note this process's memory, in MB, and how many trials had ended then."""
    ended = 0
    while not over.wait(0.2):
        with suppress(OSError):
            ended = SweepView.from_json(view.read_text()).done
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        memory.append((ended, pages * os.sysconf("SC_PAGE_SIZE") / 1e6))


def _by_trials(memory: list[tuple[int, float]], trials: int) -> dict[str, float]:
    """Return the memory when a tenth, half and nine tenths had ended, and after compacting."""
    marks = {"after 10 %": 0.1, "half-way": 0.5, "after 90 %": 0.9}
    found = {
        name: next(size for ended, size in memory if ended >= share * trials)
        for name, share in marks.items()
    }
    return {**found, "with the tables compacted": memory[-1][1]}


def _quantiles(values: list[float]) -> dict[str, float]:
    tenths = statistics.quantiles(values, n=10)
    return {"median": statistics.median(values), "p10": tenths[0], "p90": tenths[-1]}


def main() -> None:
    """Measure, print a table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--searches", nargs="+", default=["random", "tpe"])
    parser.add_argument("--plain-trials", type=int, default=40, help="0: leave Ray Tune out")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    result: dict[str, object] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
        "load_before": os.getloadavg()[0],
        "niceness": os.nice(0),
        "slots": SLOTS,
        "versions": versions(),
        "engine": [],
        "ray_tune": [],
    }
    print("milliseconds a trial and slot, warm")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for algorithm in arguments.searches:
            ours = engine(arguments.trials, algorithm, root)
            _keep(result, "engine", ours, arguments.out)
            cost = ours["control_plane_milliseconds"]
            print(f"  this engine, {algorithm}, {arguments.trials} trials: {cost}")
            print(f"    columns, median: {ours['columns_median_milliseconds']}")
            print(f"    driver, MB: {ours['driver_megabytes']}", flush=True)
        for reuse in (True, False) if arguments.plain_trials else ():
            trials = arguments.plain_trials if reuse else arguments.plain_trials // 4
            plain = ray_tune(trials, reuse, root)
            _keep(result, "ray_tune", plain, arguments.out)
            cost = plain["milliseconds_a_trial_and_slot"]
            print(f"  Ray Tune + OptunaSearch, reuse_actors={reuse}: {cost:.0f}", flush=True)


def _keep(result: dict[str, object], kind: str, figures: dict[str, object], out: Path) -> None:
    result[kind] = [*result[kind], figures]  # type: ignore[misc]
    out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
