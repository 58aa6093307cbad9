"""What the tests of the Triton kernels share: inputs, parameters, and the formula in float64."""

import os
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from polyneuron.kernels.function import Function
from polyneuron.kernels.functions import FUNCTIONS
from polyneuron.kernels.gpu import backend

DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"

on_the_device = [
    pytest.mark.skipif(
        DEVICE == "cuda" and not torch.cuda.is_available(),
        reason="without a GPU, TRITON_INTERPRET=1 must be set before triton is imported",
    ),
    pytest.mark.usefixtures("_tiny_tiles", "_poisoned"),
]

SINGLE = 2e-5
"""The rounding of a few thousand float32 terms."""
HALF = 1e-2
"""bfloat16 has 8 bits, and rounds y, g and dL/dx."""

OTHERS = [
    function
    for family, function in FUNCTIONS.items()
    if family not in ("radial", "natural", "relu")
]
"""All that are learned and have device functions, but the radial sum."""

LAYOUTS: dict[str, tuple[int, Callable[[], Tensor]]] = {
    "layer": (1, lambda: torch.randn(3, 5, 19)),
    "one element": (1, lambda: torch.randn(())),
    "empty layer": (1, lambda: torch.randn(0, 4)),
    "transposed layer": (1, lambda: torch.randn(3, 5, 7).permute(2, 0, 1)),
    "layer with holes": (1, lambda: torch.randn(6, 14)[::2, 1::3]),
    "channel": (2, lambda: torch.randn(7, 2, 6, 5)),
    "channels-last": (3, lambda: torch.randn(5, 3, 4, 3).to(memory_format=torch.channels_last)),
    "channel of a slice": (4, lambda: torch.randn(5, 7, 3)[:, 2:6]),
    "empty batch": (4, lambda: torch.randn(0, 4, 3)),
    "rows": (5, lambda: torch.randn(17, 5)),
    "neuron": (12, lambda: torch.randn(6, 3, 4)),
    "neuron, channels-last": (
        12,
        lambda: torch.randn(6, 3, 2, 2).to(memory_format=torch.channels_last),
    ),
}


def parameters_of(function: Function, A: int, s: int) -> tuple[Tensor, ...]:
    """Random parameters of A functions, whose points are at least 0.3 apart."""
    knots = (torch.rand(A, s) + 0.3).cumsum(1)
    knots = knots - knots.mean(1, keepdim=True)
    rows = torch.randn(2, A, s)
    found: tuple[Tensor, ...]
    if function.family == "radial":
        found = knots[:, torch.randperm(s)], 0.3 * rows[0], torch.randn(A, 2)
    elif function.family == "hermite":
        found = knots, *rows
    elif function.family == "apl":
        found = rows[0], knots
    else:
        example = function.example(6 if function.family == "pade" else s)
        found = tuple(torch.randn(A, *row.shape[1:]) for row in example)
    return tuple(row.to(DEVICE) for row in found)


def input_of(layout: str, points: Tensor) -> Tensor:
    """Input of a layout, one of whose elements lies on a control point."""
    x = LAYOUTS[layout][1]().to(DEVICE)
    if x.numel():
        x[(0,) * x.ndim] = points[0].flatten()[0]
    return x


def fast(function: Function, g: Tensor, x: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Value and gradients by the kernels."""
    y, _ = backend.forward(function, x, parameters)
    g_x, gradients = backend.backward(function, g, x, parameters)
    return [y, g_x, *gradients]


def exact(
    plain: Callable[..., Tensor], g: Tensor, x: Tensor, parameters: Sequence[Tensor]
) -> list[Tensor]:
    """Value and gradients by the formula, in float64."""
    leaves = [tensor.detach().double().requires_grad_() for tensor in (x, *parameters)]
    y = plain(*leaves)
    return [y.detach(), *torch.autograd.grad(y, leaves, g.double())]


def assert_close(found: Sequence[Tensor], wanted: Sequence[Tensor], tolerance: float) -> None:
    """Relative to each element, and to the float32 rounding of terms as large as the largest."""
    for one, other in zip(found, wanted, strict=True):
        size = float(other.abs().max()) if other.numel() else 0.0
        assert one.shape == other.shape
        torch.testing.assert_close(one.double(), other, rtol=tolerance, atol=SINGLE * size)


def equal_bits(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    """True if all tensors are equal, bit by bit."""
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
