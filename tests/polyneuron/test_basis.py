import math

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polyneuron import basis, basis_derivative

ORDERS = range(1, 8)


def exact(r: float, k: int) -> tuple[float, float]:
    with mpmath.workdps(40):
        r = mpmath.mpf(r)
        if k % 2:
            return float(r**k), float(k * r ** (k - 1))
        return float(r**k * mpmath.log(r)), float(r ** (k - 1) * (k * mpmath.log(r) + 1))


@given(r=st.floats(1e-6, 1e6), k=st.sampled_from(ORDERS))
@settings(deadline=None, derandomize=True)
def test_values_and_derivatives_are_those_of_eq_3(r: float, k: int) -> None:
    point = torch.tensor(r, dtype=torch.float64)
    value, slope = exact(r, k)
    # k roundings of the power and one of the logarithm.
    assert math.isclose(basis(point, k).item(), value, rel_tol=1e-14)
    # k log r + 1 may cancel: its error is absolute, of the order of the power beside it.
    tolerance = 1e-14 * k * r ** (k - 1) * (1 + abs(math.log(r)))
    assert math.isclose(basis_derivative(point, k).item(), slope, rel_tol=1e-14, abs_tol=tolerance)


@pytest.mark.parametrize("k", ORDERS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_everything_is_zero_and_finite_at_zero(k: int, dtype: torch.dtype) -> None:
    r = torch.zeros(3, dtype=dtype, requires_grad=True)
    value = basis(r, k)
    (slope,) = torch.autograd.grad(value.sum(), r)
    assert torch.equal(value, torch.zeros(3, dtype=dtype))
    # As a function of r >= 0 alone, U_1 has slope 1 at 0; every other U_k has slope 0.
    assert torch.equal(slope, torch.full((3,), float(k == 1), dtype=dtype))
    assert torch.equal(basis_derivative(r.detach(), k), torch.zeros(3, dtype=dtype))


@pytest.mark.parametrize("k", ORDERS)
def test_through_the_distance_the_gradient_at_a_control_point_is_zero(k: int) -> None:
    d = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(basis(torch.abs(d), k).sum(), d)
    assert torch.equal(slope, torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize("k", ORDERS)
@pytest.mark.parametrize("smallest", [5e-324, 1e-310, 1e-300, 1e-40])
def test_tiny_distances_stay_finite(k: int, smallest: float) -> None:
    r = torch.tensor([smallest], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(basis(r, k).sum(), r)
    assert torch.isfinite(basis(r, k)).all()
    assert torch.isfinite(slope).all()
    assert torch.isfinite(basis_derivative(r.detach(), k)).all()


@pytest.mark.parametrize("k", ORDERS)
def test_autograd_agrees_with_the_derivative(k: int) -> None:
    r = torch.linspace(0.01, 3, 50, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(basis(r, k).sum(), r)
    torch.testing.assert_close(slope, basis_derivative(r.detach(), k), rtol=1e-13, atol=1e-14)
    assert torch.autograd.gradcheck(lambda t: basis(t, k), r)


@pytest.mark.parametrize("k", ORDERS)
def test_autocast_leaves_float32_alone(k: int) -> None:
    r = torch.linspace(0, 50, 11)
    with torch.autocast("cpu", torch.bfloat16):
        value = basis(r, k)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, basis(r, k), rtol=0, atol=0)


@pytest.mark.parametrize("k", [0, -1, 2.0, "3", True, None])
def test_orders_that_are_no_positive_integer_are_refused(k: object) -> None:
    with pytest.raises(ValueError, match="k must be an integer of at least 1, got"):
        basis(torch.ones(1), k)
    with pytest.raises(ValueError, match="k must be an integer of at least 1, got"):
        basis_derivative(torch.ones(1), k)
