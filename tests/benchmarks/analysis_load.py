"""How long a large store takes to compact and to read, how much memory, and Ray's own way.

    python tests/benchmarks/analysis_load.py [--runs 10000] [--epochs 500] [--folder DIR]

Writes a part of `runs` and of `epochs` for each run as the engine leaves them, compacts them, and
reads them before and after. Ray's way is its ExperimentAnalysis and ResultGrid over the result.json
files of the first `--ray-runs` of the same runs: it is linear in runs, and holding all of 10,000
takes more memory than most machines have. Each reading runs in processes of its own, one to warm
the disk cache and the best of two. Processor seconds are those of all its threads, which other
work on the machine disturbs less; memory is the process's greatest, libraries included. Results go
to results/analysis_load.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from large_store import SWEEP, run_ids, write_ray_results, write_store

import analysis
from analysis.store.folder_store import open_store

RESULTS = Path(__file__).with_name("results") / "analysis_load.json"
THREE = ["val_error_percent", "val_loss", "train_loss"]
READINGS = {
    "runs": lambda results: results.runs,
    "epochs, 3 columns": lambda results: results.table("epochs", THREE),
    "epochs, all columns": lambda results: results.epochs,
    "values(at='best')": lambda results: analysis.values(results, at="best"),
    "values(at='pre_drop')": lambda results: analysis.values(results, at="pre_drop"),
}
TARGETS = {
    "runs": 0.2,
    "epochs, 3 columns": 0.5,
    "epochs, all columns": 2.0,
    "compaction": 90.0,
}


def reading(root: Path, name: str) -> Callable[[], int]:
    results = analysis.load(root)
    if name != "runs":
        _ = results.runs  # whoever reads histories has read what they are of
    return lambda: len(READINGS[name](results))


def reading_with_ray(folder: Path, runs: int) -> Callable[[], int]:
    """Read all histories with Ray Tune's own classes, as after `Tuner.restore`."""
    from ray.train._internal.storage import StorageContext
    from ray.tune import ResultGrid
    from ray.tune.analysis.experiment_analysis import ExperimentAnalysis
    from ray.tune.experiment import Trial

    storage = StorageContext(str(folder), experiment_dir_name="ray", trial_dir_name="")
    trials = []
    for run_id in run_ids(runs):
        trial = Trial("large", trial_id=run_id, storage=storage, stub=True)
        trial.storage.trial_dir_name = run_id
        trial.run_metadata.last_result = {"trial_id": run_id, "config": {}}
        trials.append(trial)
    (folder / "ray" / "experiment_state-2026-01-05_09-00-00.json").write_text("{}")

    def read() -> int:
        grid = ResultGrid(ExperimentAnalysis(folder / "ray", trials=trials))
        return len(pd.concat([result.metrics_dataframe for result in grid], ignore_index=True))

    return read


def compaction(root: Path) -> Callable[[], int]:
    parts = len(list((root / SWEEP / "tables").glob("parts/*")))

    def run() -> int:
        open_store(root / SWEEP).compact()
        return parts

    return run


def child(name: str, folder: Path, runs: int) -> None:
    """Do one task in this process and print what it took."""
    if name == "compaction":
        task = compaction(folder)
    else:
        task = reading_with_ray(folder, runs) if name == "Ray" else reading(folder, name)
    started, processor = time.perf_counter(), time.process_time()
    rows = task()
    took = {
        "seconds": round(time.perf_counter() - started, 3),
        "processor_seconds": round(time.process_time() - processor, 3),
        "peak_gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "parts" if name == "compaction" else "rows": rows,
    }
    print(json.dumps(took))


def measure(task: str, folder: Path, runs: int, times: int = 3) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", task, "--runs", str(runs)]
    command += ["--folder", str(folder)]
    found = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(times)
    ]
    best = min(found[1:] or found, key=lambda one: one["seconds"])
    print(task, best, flush=True)
    return best


def surroundings() -> dict[str, Any]:
    with Path("/proc/cpuinfo").open() as file:
        model = next((line.split(":")[1].strip() for line in file if "model name" in line), "")
    packages = ("numpy", "pandas", "pyarrow", "ray")
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": f"{model or platform.processor()}, {os.cpu_count()} cores",
        "load_average": round(os.getloadavg()[0], 2),
        "scheduling": "usual" if os.sched_getscheduler(0) == os.SCHED_OTHER else "real-time",
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def benchmark(folder: Path, runs: int, epochs: int, ray_runs: int) -> dict[str, Any]:
    store = folder / "store"
    found: dict[str, Any] = {"runs": runs, "epochs": epochs, "on": surroundings()}
    found["parts"] = {"epochs, all columns": measure("epochs, all columns", store, runs, 1)}
    found["compaction"] = measure("compaction", store, runs, 1)
    size = sum(file.stat().st_size for file in (store / SWEEP / "tables").glob("*.parquet"))
    found["compacted_megabytes"] = round(size / 1e6)
    found["compacted"] = {name: measure(name, store, runs) for name in READINGS}
    ray = measure("Ray", folder, ray_runs, 2)
    scaled = round(ray["seconds"] * runs / ray_runs, 1)
    found["ray"] = {**ray, "runs": ray_runs, "seconds_scaled_to_all_runs": scaled}
    found["targets_seconds"] = TARGETS
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--ray-runs", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="of the stores; else they are deleted")
    parser.add_argument("--write-only", action="store_true", help="measure in another call")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.folder, arguments.runs)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / "store").exists():
            write_store(folder / "store", arguments.runs, arguments.epochs)
            write_ray_results(folder / "ray", arguments.ray_runs, arguments.epochs)
        if arguments.write_only:
            return
        found = benchmark(folder, arguments.runs, arguments.epochs, arguments.ray_runs)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
