"""How long the report of a full campaign takes, and how large it is.

    python tests/benchmarks/analysis_report.py [--keep DIR]

The largest bundled sweeps at their full size, with every epoch and with snapshots of every
activation function, and a search of 40 trials: about 1,000 runs. The target is 20 s and 3 MB.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

from synthetic_store import SETTINGS, SyntheticSweep, configuration, learning_curve

import analysis

TARGET_SECONDS, TARGET_BYTES = 20.0, 3_000_000
FIVE = ("relu", "swish", "apl", "polyneuron", "polyneuron_r")
EPOCHS = {"lenet5/mnist": [0, 1, 2, 3, 5, 7, 10, 15, 20, 21, 25, 26, 30]}
EPOCHS["resnet20/cifar10"] = sorted({0, *np.geomspace(1, 500, 25).astype(int), 250, 251, 500})


def add(sweep, config, final, rng, seeds, diverge=0.0) -> None:
    epochs = config["recipe"]["epochs"]
    seconds = {"relu": 1.7, "swish": 1.9, "polyneuron_r": 2.3}.get(config["activation"]["name"], 3)
    for seed in range(seeds):
        failed = rng.random() < diverge
        curve = learning_curve(final + rng.normal(0, 0.1), 2 if failed else epochs, rng)
        run = sweep.add_run(
            config,
            seed,
            curve,
            status="diverged" if failed else "completed",
            epoch_seconds=seconds * np.exp(rng.normal(0, 0.03)),
        )
        if config["activation"]["name"].startswith("poly") and not failed:
            layers = [f"act{i}" for i in range(SETTINGS[sweep.benchmark]["functions"])]
            taken = [e for e in EPOCHS[sweep.benchmark] if e <= epochs]
            sweep.add_functions(run, taken, layers)


def campaign(root: Path, seed: int = 0) -> int:
    """Write the sweeps under root; how many runs there are."""
    rng = np.random.default_rng(seed)
    sweeps = []
    for name, benchmark, finals in (
        ("table1_lenet5", "lenet5/mnist", (2.0, 1.9, 1.8, 1.75, 1.6)),
        ("table1_resnet20", "resnet20/cifar10", (9.3, 8.6, 9.1, 8.7, 8.65)),
    ):
        sweeps.append(SyntheticSweep(name, benchmark))
        for activation, final in zip(FIVE, finals, strict=True):
            add(sweeps[-1], configuration(benchmark, activation), final, rng, 5)
    sweeps.append(SyntheticSweep("ablation_sk"))
    for s in (3, 5, 9):
        for k in (1, 2, 3, 4, 5):
            config = configuration(activation="polyneuron", options={"s": s, "k": k})
            add(sweeps[-1], config, 1.8 + 0.3 * (k % 2 == 0), rng, 5, 0.3 * (k == 4))
    sweeps.append(SyntheticSweep("ablation_lambda_sum", seeds=10))
    for a in (0.0, 1e-3, 1e-2, 1e-1, 1.0):
        add(sweeps[-1], configuration(lambda_sum=a), 1.7, rng, 10)
    sweeps.append(SyntheticSweep("ablation_lambda_prod", seeds=10))
    for b in (0.0, 1e-3, 1e-2, 1e-1):
        add(sweeps[-1], configuration(lambda_prod=b), 1.7 + b, rng, 10)
    sweeps.append(SyntheticSweep("lr_sensitivity", seeds=10))
    for activation in FIVE:
        for rate in (3e-4, 1e-3, 3e-3, 1e-2):
            config = configuration(activation=activation, learning_rate=rate)
            add(sweeps[-1], config, 1.8 + 30 * rate, rng, 10, 0.2 * (rate > 5e-3))
    sweeps.append(SyntheticSweep("init_stability", seeds=30))
    for activation in FIVE[3:]:
        for init, rate in (("random", 0.5), ("relu_like", 0.0)):
            options = {"s": 3, "k": 3, "init": init}
            config = configuration(activation=activation, options=options, epochs=3, drop_at=[])
            add(sweeps[-1], config, 5, rng, 30, rate)
    sweeps.append(SyntheticSweep("search", purpose="exploratory", validation="held_out", seeds=2))
    for _ in range(40):
        options = {"s": int(rng.integers(3, 10)), "k": int(rng.integers(1, 6))}
        rate = float(10 ** rng.uniform(-3.5, -2))
        config = configuration(options=options, learning_rate=rate, validation="held_out")
        add(sweeps[-1], config, 2 + abs(np.log10(rate / 1e-3)), rng, 2, 0.1)
    for sweep in sweeps:
        sweep.add_trials(["s", "k"])
        sweep.write(root)
    return sum(len(sweep.rows["runs"]) for sweep in sweeps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="write store and report there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        runs = campaign(folder / "store")
        wall, core = time.perf_counter(), time.process_time()
        analysis.report(analysis.load(folder / "store"), folder / "report")
        wall, core = time.perf_counter() - wall, time.process_time() - core
        size = (folder / "report" / "report.html").stat().st_size
    found = {"runs": runs, "seconds": round(wall, 1), "core_seconds": round(core, 1), "bytes": size}
    print(json.dumps(found))
    sys.exit(wall > TARGET_SECONDS or size > TARGET_BYTES)


if __name__ == "__main__":
    main()
