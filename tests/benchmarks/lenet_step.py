"""LeNet-5's whole training step on the CPU, against torch's eager step.

    python tests/benchmarks/lenet_step.py            into tests/benchmarks/results/lenet_step.json
    python tests/benchmarks/lenet_step.py --print    printed alone
    python tests/benchmarks/lenet_step.py --threads 1    on a busy machine, where threads wait

The rival is fixed: plain modules with ReLU, channels-last, fused Adam, one batch that is in memory
already, and no records. Our steps include the batch's gathering and augmentation, Eq. 4 and the
records of an epoch. All take turns in one process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

from speed import machine  # noqa: E402 - beside this script
from stopwatch import alternate  # noqa: E402

from polyneuron import keep_freed_memory, make_activation, pooled_activation  # noqa: E402
from trainers import ActivationConfig, DataConfig, Execution, RunConfig  # noqa: E402
from trainers.epoch import TrainingPass  # noqa: E402
from trainers.loop import load_images, set_up  # noqa: E402
from trainers.networks import lenet5  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "lenet_step.json"
RIVAL = "torch ReLU, eager"
ACTIVATIONS = ("relu", "polyneuron_r", "polyneuron", "swish", "apl", "prelu")
BATCH = 128
TARGETS = {1: 0.45, 2: 0.50}
"""Share of the rival's time that PolyNeuron-R's step may take, by threads."""
TARGET_BESIDE_RELU = 1.15
"""PolyNeuron-R's step by our own step with ReLU."""
TARGET_POOLED = 0.40
"""Activation and 2x2 max pool in one, by torch's ReLU and max pool, on one thread."""


def rival_step() -> Callable[[], None]:
    """Torch's eager step."""
    net = lenet5(lambda channels: nn.ReLU())
    # Its modules one by one, whatever `lenet5` makes of them.
    plain = nn.Sequential(*net.children()).to(memory_format=torch.channels_last)
    images = torch.randn(BATCH, 1, 28, 28).to(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % 10
    optimizer = torch.optim.Adam(plain.parameters(), weight_decay=1e-4, fused=True)

    def step() -> None:
        loss = F.cross_entropy(plain(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def own_step(activation: str, threads: int) -> Callable[[], None]:
    """Our step as a run on MNIST takes it, records included."""
    config = RunConfig(
        activation=ActivationConfig(activation),
        data=DataConfig("mnist"),
        execution=Execution(threads=threads, snapshots=False),
    )
    device = torch.device("cpu")
    training = set_up(config, device, load_images(config, device))
    training.net.train()
    epoch = TrainingPass(training, 1)
    # The epoch's last batch is smaller.
    steps = itertools.cycle(range(len(epoch.batches) - 1))
    return lambda: epoch.step(next(steps))


def step_rows(threads: int, seconds: float) -> Iterator[dict[str, object]]:
    """Compare the steps of all activations with the rival's."""
    torch.set_num_threads(threads)
    clock = time.thread_time if threads == 1 else time.perf_counter
    steps = {RIVAL: rival_step(), **{name: own_step(name, threads) for name in ACTIVATIONS}}
    times = alternate(steps, seconds, clock)
    for name in ACTIVATIONS:
        target = TARGETS[threads] if name == "polyneuron_r" else None
        yield row(f"LeNet-5 step, {name}", RIVAL, threads, times[name], times[RIVAL], target)
    ours, relu = times["polyneuron_r"], times["relu"]
    operator = "LeNet-5 step, polyneuron_r"
    yield row(operator, "LeNet-5 step, relu", threads, ours, relu, TARGET_BESIDE_RELU)


def pooled_rows(seconds: float) -> Iterator[dict[str, object]]:
    """Compare activation and max pool at LeNet-5's first layer, forward and backward."""
    torch.set_num_threads(1)
    shape = (BATCH, 6, 28, 28)
    for name, memory_format in (
        ("channels-last", torch.channels_last),
        ("contiguous", torch.contiguous_format),
    ):
        x = torch.randn(shape).to(memory_format=memory_format).requires_grad_()
        activation, pool = make_activation("polyneuron_r"), nn.MaxPool2d(2)
        g = torch.randn(BATCH, 6, 14, 14).to(memory_format=memory_format)

        def torch_relu(x=x, g=g, pool=pool) -> object:  # type: ignore[no-untyped-def]
            return torch.autograd.grad(pool(torch.relu(x)), x, g)

        def ours(x=x, g=g, pool=pool, activation=activation) -> object:  # type: ignore[no-untyped-def]
            leaves = (x, *activation.parameters())
            return torch.autograd.grad(pooled_activation(activation, pool, x), leaves, g)

        times = alternate({"ours": ours, RIVAL: torch_relu}, seconds, time.thread_time)
        target = TARGET_POOLED if name == "channels-last" else None
        operator = f"polyneuron_r + max pool, 6x28x28, {name}"
        yield row(operator, "torch ReLU + max pool", 1, times["ours"], times[RIVAL], target)


def row(
    operator: str, rival: str, threads: int, ours: float, theirs: float, target: float | None
) -> dict[str, object]:
    """Print and return one comparison."""
    ratio = ours / theirs
    wanted = "" if target is None else f"<= {target:.2f}"
    print(f"{operator:44} {rival:24} {threads} {ours:7.2f} {theirs:7.2f} {ratio:6.3f} {wanted}")
    return {
        "operator": operator,
        "rival": rival,
        "threads": threads,
        "ours_ms": ours,
        "rival_ms": theirs,
        "ratio": ratio,
        "target": target,
    }


def main() -> None:
    """Measure all, print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--print", action="store_true", help="store nothing")
    parser.add_argument("--seconds", type=float, default=8.0, help="for each comparison")
    parser.add_argument("--threads", type=int, nargs="+", default=list(TARGETS), choices=TARGETS)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    torch.manual_seed(0)
    keep_freed_memory()
    rows = [*pooled_rows(arguments.seconds / 2)]
    for threads in arguments.threads:
        rows += step_rows(threads, arguments.seconds)
    if not arguments.print:
        threads = " and ".join(map(str, arguments.threads))
        loads = {"load_before_and_after": [load, os.getloadavg()[0]]}
        content = {"machine": {**machine(), "threads": threads, **loads}, "rows": rows}
        RESULTS.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
