"""How fast a run is on a GPU: `speed.py` with a GPU's rivals, clocks and targets.

    python tests/benchmarks/gpu.py                 all, into tests/benchmarks/results/
    python tests/benchmarks/gpu.py --only norm     one group, printed alone

Operators are captured in CUDA graphs, as they are in a training step, so that their launches from
Python do not count; steps are taken as a run or its rival takes them, on images of noise. Rivals
take turns in one process, and the least time counts. Nothing is timed whose correctness tests fail,
or which falls back to something slower.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import speed  # noqa: E402 - beside this script
from plain_script import NaivePolyNeuronR, PlainStep  # noqa: E402
from speed import Row, compare  # noqa: E402

from polyneuron import make_activation  # noqa: E402
from polyneuron.kernels.backend import KernelWarning  # noqa: E402
from trainers import (  # noqa: E402
    ActivationConfig,
    DataConfig,
    Execution,
    NetworkConfig,
    Recipe,
    RunConfig,
)
from trainers.data.datasets import Images  # noqa: E402
from trainers.epoch import TrainingPass  # noqa: E402
from trainers.graph import GraphWarning, StepGraph  # noqa: E402
from trainers.loop import set_up  # noqa: E402
from trainers.networks import lenet5  # noqa: E402
from trainers.step import Training  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "speed_gpu.json"
DEVICE = "cuda"
BATCH = 128
BATCHES = 50
"""In an epoch of the steps."""
CALLS = 20
"""Calls in a graph, or between two looks at the clock: the look is then a small part of them."""
ACTIVATION_TARGETS = {(3, 3): 1.1, (5, 3): 1.2, (9, 3): 1.5, (3, 2): 1.2, (9, 2): 2.2}
NORM_TARGETS = {16: 0.7, 32: 0.7, 64: 0.7}
LEAST_BANDWIDTH = 0.85
"""Of a copy's, for PolyNeuron-R with s = 3 and k = 3."""
KERNELS = [
    f"tests/polyneuron/kernels/test_gpu_{subject}.py"
    for subject in ("kernels", "norm", "spline", "backend")
]
STEPS = ["tests/trainers/test_graph_on_gpu.py"]
TESTS = {"activation": KERNELS, "norm": KERNELS, "step": STEPS, "augmentation": STEPS}
SHAPES = {"lenet5": (1, 28, 28), "resnet20": (3, 32, 32)}

Operator = Callable[[], object]
Rival = TypeVar("Rival")


def in_graphs(rivals: dict[str, Operator], seconds: float) -> dict[str, float]:
    """As `stopwatch.alternate`, each rival captured and replayed."""

    def replayed(graph: torch.cuda.CUDAGraph) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / CALLS

    graphs = {name: captured(rival) for name, rival in rivals.items()}
    return least(graphs, replayed, seconds)


def by_the_clock(rivals: dict[str, Operator], seconds: float) -> dict[str, float]:
    """As `stopwatch.alternate`, waiting for the device after some calls."""

    def called(rival: Operator) -> float:
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(CALLS):
            rival()
        torch.cuda.synchronize()
        return 1e3 * (time.perf_counter() - started) / CALLS

    return least(rivals, called, seconds)


def least(
    rivals: dict[str, Rival], taken: Callable[[Rival], float], seconds: float
) -> dict[str, float]:
    """Return the least time that each rival has `taken`, in turns after one that does not count."""
    for rival in rivals.values():
        taken(rival)
    best = dict.fromkeys(rivals, float("inf"))
    turns, deadline = 0, time.perf_counter() + seconds
    while turns < 15 or time.perf_counter() < deadline:
        for name, rival in rivals.items():
            best[name] = min(best[name], taken(rival))
        turns += 1
    return best


def captured(operator: Operator) -> torch.cuda.CUDAGraph:
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            operator()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(CALLS):
            operator()
    return graph


def activation_rows() -> Iterator[Row]:
    """PolyNeuron-R against ReLU, and its time a byte against that of a copy."""
    for dtype in (torch.float32, torch.bfloat16):
        with torch.device(DEVICE):
            yield from speed.activation_rows(ACTIVATION_TARGETS, in_graphs, dtype)
            yield from bandwidth_rows(dtype)


def bandwidth_rows(dtype: torch.dtype) -> Iterator[Row]:
    for scope, (name, order) in itertools.product(("layer", "channel"), speed.FORMATS.items()):
        x = torch.randn(speed.LARGE, dtype=dtype).to(memory_format=order)
        copy, module = (
            torch.empty_like(x),
            make_activation("polyneuron_r", channels=16, scope=scope),
        )
        ours = speed.both_ways(module, x, *module.parameters())
        times = in_graphs({"ours": ours, "copy": functools.partial(copy.copy_, x)}, 1.0)
        yield Row(
            "activation",
            f"time a byte, {scope}, {name}, {str(dtype).removeprefix('torch.')}",
            "a copy's",
            times["ours"] / 5,  # read x, write y; read x and g, write g_x
            times["copy"] / 2,
            1 / LEAST_BANDWIDTH,
        )


def norm_rows() -> Iterator[Row]:
    """Batch norm and PolyNeuron-R in one, against torch's batch norm and ReLU."""
    with torch.device(DEVICE):
        yield from speed.norm_rows(NORM_TARGETS, in_graphs)


def noise(network: str) -> Images:
    """Images of the network's size."""
    n = BATCH * BATCHES
    images = torch.randint(0, 256, (n, *SHAPES[network]), dtype=torch.uint8)
    return Images("", images, torch.arange(n) % 10, images[:BATCH], torch.arange(BATCH) % 10)


def training(network: str, activation: str) -> Training:
    """What a run has before its first step."""
    config = RunConfig(
        activation=ActivationConfig(activation),
        network=NetworkConfig(network, residual="act_then_add"),  # type: ignore[arg-type]
        data=DataConfig("cifar10" if network == "resnet20" else "mnist"),
        recipe=Recipe(batch_size=BATCH),
        execution=Execution(device=DEVICE, snapshots=False),
    )
    device = torch.device(DEVICE)
    return set_up(config, device, noise(network).to(device))


def replayed_step(network: str, activation: str) -> Operator:
    """Our step as a run takes it: augmentation, forward, eq. 4, backward, Adam, its records."""
    run = training(network, activation)
    run.net.train()
    epoch = TrainingPass(run, 1, StepGraph.of(run))
    steps = itertools.cycle(range(BATCHES))
    return lambda: epoch.step(next(steps))


def step_rows() -> Iterator[Row]:
    """Whole training steps of 128 images."""
    steps = functools.partial(compare, "step", timed=by_the_clock)
    last, names = torch.channels_last, {"resnet20": "ResNet-20", "lenet5": "LeNet-5"}
    x = torch.randn(BATCH, 3, 32, 32, device=DEVICE).to(memory_format=last)
    relu = speed.shallow_resnet(lambda channels: nn.ReLU()).to(DEVICE, memory_format=last)  # type: ignore[call-overload]
    yield from steps(
        "ResNet-20 step with data and records, PolyNeuron-R",
        replayed_step("resnet20", "polyneuron_r"),
        {"torch's ReLU ResNet-20, eager, channels-last": (speed.eager_step(relu, x), 0.5)},
    )
    for network, name in names.items():
        relaxed = replayed_step(network, "polyneuron_r")
        yield from steps(
            f"{name} step, exact PolyNeuron",
            replayed_step(network, "polyneuron"),
            {"the same with PolyNeuron-R": (relaxed, 1.02)},
        )
    images = noise("lenet5")
    net = lenet5(lambda channels: NaivePolyNeuronR()).to(DEVICE)
    yield from steps(
        "LeNet-5 step with data and records, PolyNeuron-R",
        replayed_step("lenet5", "polyneuron_r"),
        {
            "a plain script, naive activation": (
                PlainStep(net, images.train_images, images.train_labels),
                1 / 20,
            )
        },
    )


def augmentation_rows() -> Iterator[Row]:
    """A batch's augmentation as a share of the step that it belongs to."""
    for network, name in (("resnet20", "CIFAR-10's size"), ("lenet5", "MNIST's size")):
        run = training(network, "polyneuron_r")
        epoch = TrainingPass(run, 1)

        def batch(run: Training = run, epoch: TrainingPass = epoch) -> tuple[Tensor, Tensor]:
            return run.batch(epoch.batches[0], epoch.draws)

        ours = in_graphs({"batch": batch}, 1.0)["batch"]
        step = by_the_clock({"step": replayed_step(network, "polyneuron_r")}, 2.0)["step"]
        operator = f"augmentation of {BATCH} images, {name}"
        yield Row("augmentation", operator, f"the whole {network} step", ours, step, 0.02)


GROUPS: dict[str, Callable[[], Iterator[Row]]] = {
    "activation": activation_rows,
    "norm": norm_rows,
    "step": step_rows,
    "augmentation": augmentation_rows,
}


def machine() -> dict[str, str | int]:
    """What was measured on."""
    import triton

    return {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cuda": str(torch.version.cuda),
        "triton": triton.__version__,
    }


def main(arguments: list[str] | None = None) -> None:
    """Run the groups asked for, print their table and store it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=GROUPS, help="one group, printed alone")
    parser.add_argument("--skip-tests", action="store_true", help="when they have just passed")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("no GPU here")
        return
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    warnings.simplefilter("error", KernelWarning)
    warnings.simplefilter("error", GraphWarning)
    rows = []
    for group in [options.only] if options.only else GROUPS:
        if options.skip_tests or speed.is_correct(group, TESTS):
            rows += speed.printed(GROUPS[group]())
    content = speed.table(machine(), rows, speed.kept_for_backward(DEVICE))
    if options.only is None:
        RESULTS.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
