"""Forward and backward of the learned activations on a GPU, beside torch's ReLU and SiLU.

    python tests/benchmarks/gpu.py [--repeats 20] [--json FILE]

Every operator is captured in a CUDA graph, as a training step is, so that launches from Python do
not count. Operators and rivals take turns; a time is the least over all turns. Bandwidth counts
five passes over x for an activation (read x, write y; read x and g, write g_x), eight for a fused
norm (its statistics read x once more, the gradient of x reads x and g once more), two for the copy
beside them. An activation that differs from the float64 reference is not timed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.kernels import reference

SHAPE = (128, 16, 32, 32)
CALLS = 20
"""Calls in a graph: its own start is then a small part of it."""

Operator = Callable[[], object]


@dataclass(frozen=True)
class Learned:
    """A learned activation: label, the kernels' name for it, and the reference."""

    label: str
    name: str
    plain: Callable[..., Tensor]
    parameters: tuple[Tensor, ...]
    k: tuple[int, ...] = ()

    def run(self, x: Tensor, g: Tensor) -> list[Tensor]:
        """Value and gradients by the kernels."""
        from polyneuron.kernels import gpu

        y = getattr(gpu, f"{self.name}_forward")(x, *self.parameters, *self.k)
        return [y, *getattr(gpu, f"{self.name}_backward")(g, x, *self.parameters, *self.k)]

    def check(self, x: Tensor, g: Tensor) -> None:
        """Refuse a value or gradient that is wrong by more than its dtype allows."""
        leaves = [tensor.double().requires_grad_() for tensor in (x, *self.parameters)]
        y = self.plain(*leaves, *self.k)
        exact = [y.detach(), *torch.autograd.grad(y, leaves, g.double())]
        for one, other in zip(self.run(x, g), exact, strict=True):
            error = float((one.double() - other).abs().max() / other.abs().max())
            if not error <= (2e-5 if one.dtype == torch.float32 else 1e-2):
                sys.exit(f"{self.label} is wrong by {error:.1e} of its largest value: not timed")


def learned(A: int, device: torch.device) -> Iterator[Learned]:
    rows = partial(torch.randn, A, device=device)

    def points(s: int) -> Tensor:
        return torch.linspace(-1, 1, s, device=device).repeat(A, 1)

    for s, k in ((3, 3), (5, 3), (9, 3), (3, 2), (9, 2)):
        f = (points(s), rows(s), rows(2))
        yield Learned(f"PolyNeuron-R A={A} s={s} k={k}", "radial", reference.evaluate, f, (k,))
    f = (points(3), rows(3), rows(3))
    yield Learned(f"PolyNeuron A={A} s=3 k=3", "hermite", reference.evaluate_hermite, f)
    yield Learned(f"Swish A={A}", "swish", reference.swish, (rows(),))
    yield Learned(f"APL A={A} s=5", "apl", reference.apl, (rows(5), rows(5)))


def activation_operators(x: Tensor, g: Tensor) -> dict[str, Operator]:
    """Forward and backward of each activation over x; the first two are the rivals."""
    aten = torch.ops.aten
    operators: dict[str, Operator] = {
        "ReLU": lambda: (torch.relu(x), aten.threshold_backward(g, x, 0)),
        "SiLU": lambda: (F.silu(x), aten.silu_backward(g, x)),
    }
    for A in (1, x.shape[1]):
        for activation in learned(A, x.device):
            activation.check(x, g)
            operators[activation.label] = partial(activation.run, x, g)
    return operators


def norm_operators(x: Tensor, g: Tensor) -> dict[str, Operator]:
    """Forward and backward of BN + activation in training; the first is the rival."""
    from polyneuron.kernels import gpu

    z = x.detach().requires_grad_()
    weight, bias = (torch.rand(x.shape[1], device=x.device) for _ in range(2))
    affine = [row.requires_grad_() for row in (weight.clone(), bias.clone())]

    def separate() -> object:
        y = F.relu(F.batch_norm(z, None, None, *affine, training=True))
        return torch.autograd.grad(y, (z, *affine), g)

    def fused(name: str, parameters: tuple[Tensor, ...], k: int) -> object:
        f = (name, parameters, k)
        _, statistics = gpu.norm_forward(x, None, weight, bias, None, None, 1e-5, 0.1, True, *f)
        return gpu.norm_backward(g, x, None, weight, bias, statistics, True, *f)

    row = torch.linspace(-1, 1, 3, device=x.device)[None]
    radial = (row, row.clone(), row[:, :2].clone())
    return {
        "BN + ReLU": separate,
        "BN + ReLU, fused": partial(fused, "relu", (), 0),
        "BN + PolyNeuron-R A=1 s=3 k=3, fused": partial(fused, "radial", radial, 3),
    }


def least_microseconds(operators: dict[str, Operator], repeats: int) -> dict[str, float]:
    """Time of one call of each, the least over turns."""
    graphs = {name: captured(operator) for name, operator in operators.items()}
    least = dict.fromkeys(operators, float("inf"))
    for _ in range(repeats):
        for name, graph in graphs.items():
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            graph.replay()
            end.record()
            end.synchronize()
            least[name] = min(least[name], 1e3 * start.elapsed_time(end) / CALLS)
    return least


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


def measure(dtype: torch.dtype, channels_last: bool, repeats: int) -> list[dict[str, object]]:
    order = torch.channels_last if channels_last else torch.contiguous_format
    x, g = (torch.randn(SHAPE, device="cuda", dtype=dtype) for _ in range(2))
    x, g = x.to(memory_format=order), g.to(memory_format=order)
    copy = torch.empty_like(x)
    records: list[dict[str, object]] = []
    for make, rival, of_each in (
        (activation_operators, "ReLU", 5),
        (norm_operators, "BN + ReLU", 8),
    ):
        operators = {"copy": partial(copy.copy_, x), **make(x, g)}
        times = least_microseconds(operators, repeats)
        for name, microseconds in times.items():
            passes = 2 if name == "copy" else of_each
            records.append(
                {
                    "operator": name,
                    "dtype": str(dtype).removeprefix("torch."),
                    "memory_format": str(order).removeprefix("torch."),
                    "microseconds": microseconds,
                    "ratio": microseconds / times[rival],
                    "gigabytes_per_second": passes * x.nbytes / microseconds / 1e3,
                }
            )
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("no GPU here")
        return
    import triton

    records = [
        record
        for dtype in (torch.float32, torch.bfloat16)
        for channels_last in (False, True)
        for record in measure(dtype, channels_last, arguments.repeats)
    ]
    device = torch.cuda.get_device_name()
    print(f"{device}, torch {torch.__version__}, triton {triton.__version__}, x {SHAPE}")
    for record in records:
        print(
            f"{record['operator']:40} {record['dtype']:9} {record['memory_format']:18}"
            f" {record['microseconds']:8.1f} us {record['ratio']:6.2f}x"
            f" {record['gigabytes_per_second']:6.0f} GB/s"
        )
    if arguments.json:
        versions = {"device": device, "torch": torch.__version__, "triton": triton.__version__}
        arguments.json.write_text(json.dumps({**versions, "records": records}, indent=1) + "\n")


if __name__ == "__main__":
    main()
