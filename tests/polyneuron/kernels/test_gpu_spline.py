"""The Triton kernels that solve for natural splines, against the formula in float64."""

import pytest
import torch

from polyneuron.natural_spline import knot_slopes

pytest.importorskip("triton")
from gpu_cases import DEVICE, SINGLE, assert_close, on_the_device

from polyneuron.kernels.natural.solving import solve, solve_backward

pytestmark = on_the_device


@pytest.mark.parametrize("s", [2, 3, 9])
def test_is_the_reference_in_any_order_of_points(s: int) -> None:
    A = 130
    c_x = (torch.rand(A, s) + 0.3).cumsum(1).gather(1, torch.rand(A, s).argsort(1)).to(DEVICE)
    c_y = torch.randn(A, s).to(DEVICE)
    g = torch.randn(3, A, s).to(DEVICE)
    splines = solve(c_x, c_y)
    found = [*splines[:3], *solve_backward(splines, *g)]
    leaves = [points.double().requires_grad_() for points in (c_x, c_y)]
    knots, by_torch = leaves[0].sort(1)
    heights = leaves[1].gather(1, by_torch)
    outputs = [knots, heights, knot_slopes(knots, heights)]
    wanted = [*outputs, *torch.autograd.grad(outputs, leaves, list(g.double()))]
    assert torch.equal(splines.order.long(), by_torch)
    assert_close(found, [tensor.detach() for tensor in wanted], SINGLE)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of the interpreter
def test_coincident_points_and_nan_spoil_their_row_alone() -> None:
    c_x = torch.linspace(-1, 1, 4).repeat(5, 1).to(DEVICE)
    c_y = torch.randn(5, 4).to(DEVICE)
    c_x[1, 2] = c_x[1, 0]
    c_x[2, 1] = float("nan")
    c_y[3, 3] = float("nan")
    _, _, m, order = solve(c_x, c_y)
    bad = torch.tensor([False, True, True, True, False], device=DEVICE)
    assert torch.equal(m.isnan().all(1), bad)
    assert torch.equal(m.isnan().any(1), bad)
    assert torch.equal(order.long(), c_x.sort(dim=1, stable=True).indices)
