"""Readings of ResNet-20 on CIFAR-10: in which of them does PolyNeuron-R train?

    python tests/benchmarks/resnet20_readings.py                 400 steps, 3 seeds, all candidates
    python tests/benchmarks/resnet20_readings.py --only literal  one candidate
    python tests/benchmarks/resnet20_readings.py --chosen --steps 3910 --seeds 1
                                     ten epochs of the five activations in the chosen reading
    python tests/benchmarks/resnet20_readings.py --collect       the JSON and the figure from pieces

`--device cuda` trains on a GPU. Each candidate and seed is a piece of its own under
results/resnet20/, written as soon as it is done; a piece that is there is not trained again. One
thread, full size, batch 128.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import platform
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from polyneuron import activation_modules  # noqa: E402 - beside this script
from trainers import (  # noqa: E402
    ActivationConfig,
    DataConfig,
    Execution,
    NetworkConfig,
    RunConfig,
)
from trainers.devices import device_name  # noqa: E402
from trainers.epoch import TrainingPass  # noqa: E402
from trainers.loop import load_images, set_up  # noqa: E402
from trainers.networks import NETWORKS  # noqa: E402
from trainers.optimizer import set_rates  # noqa: E402
from trainers.percentiles import nearest_ranks  # noqa: E402
from trainers.snapshots import INPUT_IMAGES  # noqa: E402
from trainers.stability import observe  # noqa: E402
from trainers.step import Training  # noqa: E402

RESULTS = Path(__file__).parent / "results"
PIECES = RESULTS / "resnet20"
IMAGES = 1000
"""A look is at the first so many validation images."""
LOOKS = (0, 10, 50, 100, 200, 300, 400)
"""Steps after which a run is observed; beyond them at each epoch's end."""


@dataclass(frozen=True)
class Candidate:
    """An activation in one reading of the network and the recipe."""

    activation: str = "polyneuron_r"
    options: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)


PRE_ACT = {"residual": "pre_act", "shortcut": "projection"}
SLOW = {"activation_learning_rate": 1e-4}

CANDIDATES = {
    "literal": Candidate(network=PRE_ACT),
    "rate_1e-4": Candidate(network=PRE_ACT, recipe=SLOW),
    "relu": Candidate("relu", network=PRE_ACT),
    "polyneuron": Candidate("polyneuron", network=PRE_ACT),
    "rate_3e-4": Candidate(network=PRE_ACT, recipe={"activation_learning_rate": 3e-4}),
    "tail_range_3": Candidate(options={"tail_range": 3.0}, network=PRE_ACT),
    "polyneuron_1e-4": Candidate("polyneuron", network=PRE_ACT, recipe=SLOW),
    "swish_1e-4": Candidate("swish", network=PRE_ACT, recipe=SLOW),
    "apl_1e-4": Candidate("apl", network=PRE_ACT, recipe=SLOW),
    "add_then_act": Candidate(),
    "lambda_sum_1": Candidate(network=PRE_ACT, recipe={"lambda_sum": 1.0}),
}
"""Nearest to the paper first, with ReLU and exact PolyNeuron as yardsticks."""

CHOSEN = ("relu", "swish_1e-4", "apl_1e-4", "polyneuron_1e-4", "rate_1e-4")
"""The five activations in the reading of `table1_resnet20`; no rate of its own matters to ReLU."""


def run_config(candidate: Candidate, seed: int, device: str) -> RunConfig:
    """Return a candidate's run at full size."""
    return RunConfig(
        activation=ActivationConfig(candidate.activation, options=candidate.options),
        network=NetworkConfig("resnet20", **candidate.network),
        data=DataConfig("cifar10"),
        recipe=replace(NETWORKS["resnet20"].recipe, **candidate.recipe),
        seed=seed,
        execution=Execution(device=device, threads=1, snapshots=False),
    )


def studied(candidate: Candidate, seed: int, steps: int, on: str) -> dict[str, Any]:
    """Train a candidate for so many steps on a device and return what was seen."""
    config, device = run_config(candidate, seed, on), torch.device(on)
    training = set_up(config, device, load_images(config, device))
    start = copy.deepcopy(training.net)
    started = time.perf_counter()
    losses: list[float] = []
    looks = [_look(training, 0)]
    epoch = 0
    while len(losses) < steps and all(map(math.isfinite, losses)):
        epoch += 1
        set_rates(training.optimizer, config.recipe, epoch)
        now = TrainingPass(training, epoch)
        for step in range(len(now.batches)):
            training.net.train()
            now.step(step)
            losses.append(float(now.losses[step]))
            done = len(losses)
            last = step == len(now.batches) - 1
            if not math.isfinite(losses[-1]) or done == steps:
                break
            if done in LOOKS or (done > max(LOOKS) and last):
                looks.append(_look(training, done))
    looks.append(_look(training, len(losses)))
    return {
        "candidate": asdict(candidate),
        "seed": seed,
        "steps": len(losses),
        "diverged": not math.isfinite(losses[-1]),
        "loss": [_number(sum(losses[i : i + 10]) / 10) for i in range(0, len(losses) - 9, 10)],
        "looks": looks,
        "moved": _number(curves_moved(start, training)),
        "seconds": round(time.perf_counter() - started, 1),
        "torch": torch.__version__,
        "device": device_name(device),
        "machine": platform.processor() or platform.machine(),
    }


def _look(training: Training, step: int) -> dict[str, Any]:
    images = training.images
    looked_at = images.val_images[:IMAGES], images.val_labels[:IMAGES]
    seen = observe(training.net, *looked_at, training.normalise)
    return {
        "step": step,
        "error": _number(seen.error_percent),
        "batch_error": _number(seen.batch_error_percent),
        "input": _number(max(seen.inputs.values())),
        "batch_input": _number(max(seen.batch_inputs.values())),
        "sum_w": _number(max(seen.sums.values())) if seen.sums else None,
    }


def _number(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None


@torch.no_grad()
def curves_moved(start: nn.Module, training: Training) -> float:
    """Return the rms change of the activations' curves over their inputs' central 98 %."""
    net, before = training.net, dict(activation_modules(start))
    squares: list[Tensor] = []

    def note(layer: str):  # type: ignore[no-untyped-def]
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], y: Tensor) -> None:
            x = inputs[0].flatten()[None].numpy(force=True)
            low, high = nearest_ranks(x, (0.01, 0.99))[:, 0].tolist()
            inside = (inputs[0] >= low) & (inputs[0] <= high)
            squares.append((y - before[layer].forward(inputs[0]))[inside].square().mean())

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in activation_modules(net)]
    net.eval()
    net(training.normalise(training.images.val_images[:INPUT_IMAGES]))
    for hook in hooks:
        hook.remove()
    return float(torch.stack(squares).mean().sqrt())


def pieces(steps: int) -> dict[str, list[dict[str, Any]]]:
    """Return the finished pieces of so many steps, by candidate."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in CANDIDATES:
        for path in sorted(PIECES.glob(f"{name}-{steps}-s*.json")):
            found.setdefault(name, []).append(json.loads(path.read_text()))
    return found


def collect(steps: int) -> None:
    """Write one JSON and one figure of all pieces."""
    found = pieces(steps)
    target = RESULTS / f"resnet20_readings_{steps}.json"
    target.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{'candidate':16} seeds  loss  error running / batch  input  sum w  moved")
    for name in CANDIDATES:
        runs = found.get(name, [])
        if not runs:
            print(f"{name:16} not measured")
            continue
        last = [run["looks"][-1] for run in runs]
        rows = [
            f"{run['loss'][-1] if run['loss'] else None} {look['error']}/{look['batch_error']}"
            f" {look['input']}/{look['batch_input']} {look['sum_w']} {run['moved']}"
            for run, look in zip(runs, last, strict=True)
        ]
        print(f"{name:16} {len(runs)}  " + "\n                    ".join(rows))
    draw(found, target.with_suffix(".png"))


PANELS = {
    "loss": "training loss, mean of 10 steps",
    "error": "error on running statistics, %",
    "batch_error": "error on batch statistics, %",
    "input": "largest input, running statistics",
    "batch_input": "largest input, batch statistics",
    "sum_w": "largest |sum w|",
}
LOGARITHMIC = ("input", "batch_input", "sum_w")


def draw(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw a panel a quantity by step, a colour a candidate and a line a seed."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(13, 7.2), layout="constrained")
    for (key, title), axis in zip(PANELS.items(), axes.flat, strict=True):
        for number, (name, runs) in enumerate(found.items()):
            for run in runs:
                label = name if run is runs[0] else None
                axis.plot(*_series(run, key), color=f"C{number % 10}", label=label, alpha=0.8)
        axis.set(title=title, xlabel="step")
        if key in LOGARITHMIC:
            axis.set_yscale("log")
    axes[0, 0].set_ylim(1.0, 3.0)
    # The start has running statistics of 0 and 1, and inputs that mean nothing.
    axes[1, 0].set_ylim(5, 1e4)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _series(run: dict[str, Any], key: str) -> tuple[list[int], list[float]]:
    if key == "loss":
        steps, values = [10 * i + 10 for i in range(len(run["loss"]))], run["loss"]
    else:
        steps = [look["step"] for look in run["looks"]]
        values = [look[key] for look in run["looks"]]
    return steps, [math.nan if value is None else value for value in values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=CANDIDATES, nargs="+", default=list(CANDIDATES))
    parser.add_argument("--chosen", action="store_true", help="the five in the chosen reading")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--collect", action="store_true")
    chosen = parser.parse_args()
    if not chosen.collect:
        torch.set_num_threads(1)
        PIECES.mkdir(parents=True, exist_ok=True)
        # Every candidate's first seed before any second: a study that is cut off can be read.
        for seed in range(chosen.seeds):
            for name in CHOSEN if chosen.chosen else chosen.only:
                path = PIECES / f"{name}-{chosen.steps}-s{seed}.json"
                if not path.exists():
                    piece = studied(CANDIDATES[name], seed, chosen.steps, chosen.device)
                    path.write_text(json.dumps(piece) + "\n")
                    print(name, seed, piece["looks"][-1], piece["seconds"], flush=True)
    collect(chosen.steps)


if __name__ == "__main__":
    main()
