"""An empty trial from end to end, stage by stage: what a user pays for a trial beside its training.

    python tests/benchmarks/empty_trial.py            into tests/benchmarks/results/empty_trial.json
    python tests/benchmarks/empty_trial.py --print    printed alone

A trial trains LeNet-5 with PolyNeuron-R on one image for one epoch with all defaults: snapshots,
evaluation, checkpoints, durable parts. One worker takes trials from a real driver with a study.
A trial's time is from its start to the next one's start; its stages are columns of `trials`. On a
busy machine that is mostly waiting, so the processor time of the same trials is measured too, in
one process without the driver.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from sweeps.workers import environment as ray_environment

ray_environment.set_ray_variables()

from rich.console import Console  # noqa: E402

import analysis  # noqa: E402
from sweeps.driver.driver import run_sweep  # noqa: E402
from sweeps.driver.preparation import prepare  # noqa: E402
from sweeps.spec.reading import parse_spec  # noqa: E402
from sweeps.spec.sections import SweepSpec  # noqa: E402
from sweeps.store.paths import SweepPaths  # noqa: E402
from sweeps.store.provenance import versions  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "empty_trial.json"
TRIALS, WARM_UP = 50, 10
"""Trials that are counted, and those before them: processes start, kernels are loaded."""
TARGET_MILLISECONDS = 25.0
STAGES = (
    *("queue", "start", "search", "data", "setup", "snapshot", "train", "evaluation"),
    *("checkpoint", "report"),
)


def empty_sweep(name: str) -> SweepSpec:
    """Describe a sweep of empty trials."""
    return parse_spec(
        {
            "name": name,
            "data": {"name": "digits", "train_images": 1},
            "recipe": {"epochs": 1},
            "activation": "polyneuron_r",
            "space": {"learning_rate": {"log": [1e-4, 1e-2]}},
            "seeds": 1,
            "search": {"algorithm": "random", "trials": WARM_UP + TRIALS},
            "concurrency": 1,
        }
    )


def end_to_end(root: Path) -> dict[str, float]:
    """Return the median milliseconds of a trial and of each of its stages."""
    spec = empty_sweep("empty")
    with Path(os.devnull).open("w") as nowhere:
        assert run_sweep(prepare(spec), root, Console(file=nowhere))
    trials = analysis.load(root / spec.name).trials.sort_values("started_at")
    assert set(trials["status"]) == {"completed"}
    apart = trials["started_at"].diff().shift(-1).dt.total_seconds()
    stages = trials[[f"{stage}_seconds" for stage in STAGES]]
    table = stages.assign(whole=apart, rest=apart - stages.sum(axis=1))[WARM_UP:]
    return {
        str(name).removesuffix("_seconds"): 1e3 * float(value)
        for name, value in table.median().items()
    }


def processor_time(root: Path) -> dict[str, float]:
    """Return milliseconds of processor time of a trial, all threads of the worker's process."""
    from sweeps.workers.trial import train_trial
    from trainers import Execution

    spec = empty_sweep("in-process")
    paths = SweepPaths(root, spec.name)
    paths.create()
    execution = Execution(device="cpu", threads=1, checkpoint_folder=paths.checkpoints)
    spent = []
    for number in range(WARM_UP + TRIALS):
        params = {"learning_rate": 1e-3 * (1 + number / 1000)}
        begun = time.process_time()
        outcome = train_trial(spec, paths, number, params, execution, lambda *_: None, fresh=True)
        assert outcome.status == "completed", outcome
        spent.append(1e3 * (time.process_time() - begun))
    counted = spent[WARM_UP:]
    return {"median": statistics.median(counted), "least": min(counted)}


def main() -> None:
    """Measure, print a table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--print", action="store_true", help="store nothing")
    parser.add_argument("--processor-alone", action="store_true", help="without the driver")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        processor = processor_time(Path(folder))
        print(f"processor time of a trial, ms: {processor}", flush=True)
        stages = {} if arguments.processor_alone else end_to_end(Path(folder))
    for stage, milliseconds in stages.items():
        print(f"  {stage:12} {milliseconds:8.1f} ms")
    result = {
        "trials": TRIALS,
        "target_milliseconds": TARGET_MILLISECONDS,
        "load_before_and_after": [load, os.getloadavg()[0]],
        "cores": os.cpu_count(),
        "versions": versions(),
        "processor_milliseconds": processor,
        "median_milliseconds": stages,
    }
    if not arguments.print:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
