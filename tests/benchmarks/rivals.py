"""Our activations beside those that others install, forward and backward, in one process.

    python tests/benchmarks/rivals.py            into tests/benchmarks/results/rivals.json
    python tests/benchmarks/rivals.py --print    printed alone

Torch's own are there in any case. DeepSplines, rational-activations and torch-activation are
skipped where they are not installed: `pip install --no-deps --target FOLDER deepsplines
rational-activations torch-activation`, and FOLDER in PYTHONPATH. All compute in one thread and take
turns; the clock is the thread's own, which stops while another process has the core.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

from plain_script import NaivePolyNeuronR  # noqa: E402 - beside this script
from speed import machine  # noqa: E402
from stopwatch import alternate  # noqa: E402

from polyneuron import keep_freed_memory, make_activation  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "rivals.json"
SHAPE = (128, 16, 32, 32)
RELU = "torch ReLU"
Make = Callable[[], nn.Module]


def compiled_formula() -> nn.Module:
    """Return eq. 1 as torch compiles it."""
    return torch.compile(NaivePolyNeuronR())  # type: ignore[return-value]


def other(package: str, module: str, name: str, **options: Any) -> Make:
    """Return how a module of another package is made."""

    def make() -> nn.Module:
        made: nn.Module = getattr(importlib.import_module(module), name)(**options)
        return made

    make.package = package  # type: ignore[attr-defined]
    return make


PAIRS: dict[str, tuple[Make, dict[str, Make]]] = {
    "PolyNeuron-R, s=3 k=3": (
        lambda: make_activation("polyneuron_r"),
        {"torch.compile of eq. 1": compiled_formula, "eq. 1, eager": NaivePolyNeuronR},
    ),
    "B-spline, one a channel": (
        lambda: make_activation("bspline", channels=16, scope="channel"),
        {
            "DeepSplines, one a channel": other(
                "deepsplines",
                "deepsplines.ds_modules.deepBspline",
                "DeepBSpline",
                mode="conv",
                num_activations=16,
                size=21,
                range_=2,
                init="relu",
            )
        },
    ),
    "Padé unit": (
        lambda: make_activation("pade"),
        {
            "rational-activations": other(
                "rational-activations", "rational.torch", "Rational", cuda=False
            ),
            "torch-activation's PAU": other("torch-activation", "torch_activation", "PAU"),
        },
    ),
    "APL": (
        lambda: make_activation("apl"),
        {"torch-activation's APLU": other("torch-activation", "torch_activation", "APLU")},
    ),
    "PReLU": (lambda: make_activation("prelu"), {"torch PReLU": nn.PReLU}),
    "SiLU": (lambda: make_activation("silu"), {"torch SiLU": nn.SiLU}),
}
"""Ours, and those of others that compute the same or are of the same kind."""


def both_ways(module: nn.Module, x: Tensor, g: Tensor) -> Callable[[], object]:
    """Return a forward and backward pass, with gradients of x and of the parameters."""
    leaves = (x, *(one for one in module.parameters() if one.requires_grad))
    return lambda: torch.autograd.grad(module(x), leaves, g, allow_unused=True)


def rows(seconds: float) -> Iterator[dict[str, object]]:
    """Time each pair, with torch's ReLU beside it."""
    x = torch.randn(SHAPE).requires_grad_()
    g = torch.randn(SHAPE)
    for ours, (make, rivals) in PAIRS.items():
        found = {name: one for name, one in _made(rivals).items() if one is not None}
        runs = {"": both_ways(make(), x, g), RELU: both_ways(nn.ReLU(), x, g)}
        runs |= {name: both_ways(module, x, g) for name, module in found.items()}
        times = alternate(runs, seconds, time.thread_time)
        for name in (RELU, *found):
            ratio = times[""] / times[name]
            print(f"{ours:26} {name:28} {times['']:8.2f} {times[name]:8.2f} ms {ratio:7.3f}")
            yield {
                "operator": ours,
                "rival": name,
                "ours_ms": times[""],
                "rival_ms": times[name],
                "ratio": ratio,
            }


def _made(rivals: dict[str, Make]) -> dict[str, nn.Module | None]:
    made: dict[str, nn.Module | None] = {}
    for name, make in rivals.items():
        try:
            made[name] = make()
        except ImportError as error:
            print(f"skipped {name}: {error}")
            made[name] = None
    return made


def installed() -> dict[str, str]:
    """Return the versions of the packages that are there."""
    makes = [make for _, rivals in PAIRS.values() for make in rivals.values()]
    names = {make.package for make in makes if hasattr(make, "package")}
    found = {}
    for name in sorted(names):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Measure all, print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--print", action="store_true", help="store nothing")
    parser.add_argument("--seconds", type=float, default=8.0, help="for each group of rivals")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    warnings.simplefilter("ignore")  # torch-activation names what it does not import
    torch.manual_seed(0)
    torch.set_num_threads(1)
    keep_freed_memory()
    found = list(rows(arguments.seconds))
    if not arguments.print:
        about = {**machine(), "threads": 1, "packages": installed()}
        about["load_before_and_after"] = [load, os.getloadavg()[0]]
        RESULTS.write_text(json.dumps({"machine": about, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
