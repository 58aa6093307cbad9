"""The least and largest input of each function are torch's, and so are their gradients."""

import pytest
import torch
from torch import Tensor

from polyneuron import make_activation
from polyneuron.kernels.extremes import with_extremes
from polyneuron.scope import extremes_by_function

LAST = torch.channels_last
LAYOUTS = {
    "layer": (1, torch.randn(3, 5, 7)),
    "one element": (1, torch.randn(1)),
    "over a chunk": (1, torch.randn(40001)),
    "channel": (5, torch.randn(3, 5, 7, 3)),
    "channel, over a chunk": (3, torch.randn(2, 3, 90, 100)),
    "channel, channels last": (6, torch.randn(4, 6, 5, 5).to(memory_format=LAST)),
    "neuron": (12, torch.randn(9, 3, 4)),
    "every other": (5, torch.randn(6, 5, 8)[::2, :, ::2]),
}


def passed_on(x: Tensor, functions: int, fast: bool) -> list[Tensor]:
    """The extremes, and dL/dx of a loss that depends on x and on both of them."""
    x = x.detach().requires_grad_()
    y, low, high = with_extremes(x, functions) if fast else (x, *extremes_by_function(x, functions))
    # As of a kernel: a gradient that nobody else holds.
    weights = torch.arange(1.0, functions + 1)
    loss = (2 * y).sum() + (weights * low).sum() - (3 * weights * high).sum()
    (g,) = torch.autograd.grad(loss, x)
    return [low.detach(), high.detach(), g]


@pytest.mark.parametrize("case", LAYOUTS)
@pytest.mark.parametrize("ties", [False, True])
def test_extremes_and_their_gradients_are_torchs(case: str, ties: bool) -> None:
    functions, x = LAYOUTS[case]
    x = x.round() if ties else x
    for one, other in zip(
        passed_on(x, functions, True), passed_on(x, functions, False), strict=True
    ):
        # Shares of a gradient are rounded once.
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 0.0])
def test_values_that_are_all_equal(value: float) -> None:
    x = torch.full((2, 3, 7), value)
    for one, other in zip(passed_on(x, 3, True), passed_on(x, 3, False), strict=True):
        torch.testing.assert_close(one, other)


def test_what_is_not_a_number_is_the_extreme() -> None:
    x = torch.randn(4, 3, 9)
    x[2, 1, 4] = float("nan")
    _, low, high = with_extremes(x, 3)
    assert low.isnan().tolist() == high.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("scope", ["layer", "channel"])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, LAST])
def test_an_ensemble_trains_as_its_formula(scope: str, memory_format: torch.memory_format) -> None:
    x = torch.randn(4, 6, 9, 9).to(memory_format=memory_format)
    module = make_activation("ensemble", scope=scope, channels=6)
    found = []
    for dtype in (torch.float32, torch.float64):
        module = module.to(dtype)
        one = x.to(dtype).detach().requires_grad_()
        y = module(one)
        inputs = [one, *module.parameters()]
        found.append([y.detach(), *torch.autograd.grad(y.sin().sum(), inputs)])
    for ours, exact in zip(*found, strict=True):
        error = float((ours.double() - exact).abs().max())
        assert error <= 2e-5 * float(exact.abs().max())  # sums of thousands of float32 values
