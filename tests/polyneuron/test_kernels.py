from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from polyneuron import evaluate, solve_coefficients
from polyneuron.activations.polyneuron import spline_through
from polyneuron.kernels import evaluate_hermite, reference
from polyneuron.natural_spline import knot_slopes

ORDERS = range(1, 8)
SHAPES = {
    "layer": (1, (3, 4, 5)),
    "scalar": (1, ()),
    "channel": (4, (3, 4, 5)),
    "channel, rows": (4, (6, 4)),
    "neuron": (20, (3, 4, 5)),
    "empty batch": (4, (0, 4, 5)),
}

Points = Callable[[int, int], tuple[Tensor, Tensor]]


def leaf(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def gradients(
    function: Callable[..., Tensor], inputs: tuple[Tensor, ...], g: Tensor
) -> list[Tensor]:
    return list(torch.autograd.grad((function(*inputs) * g).sum(), inputs))


def assert_same(fast: list[Tensor], plain: list[Tensor]) -> None:
    for one, other in zip(fast, plain, strict=True):
        # Rounding of sums of a few dozen terms, relative to the largest of them.
        size = 1 + (float(other.detach().abs().max()) if other.numel() else 0)
        torch.testing.assert_close(one, other, rtol=0, atol=1e-13 * size)


@pytest.mark.parametrize("scope", SHAPES)
@pytest.mark.parametrize("s", [1, 2, 3, 5])
@pytest.mark.parametrize("k", ORDERS)
def test_the_radial_sum_is_the_reference(k: int, s: int, scope: str) -> None:
    A, shape = SHAPES[scope]
    x, c_x, w, v = leaf(*shape), leaf(A, s), leaf(A, s), leaf(A, 2)
    if x.numel():
        with torch.no_grad():
            x.view(-1)[0] = c_x[0, 0]  # exactly on a control point of the first function
    g = torch.randn(shape, dtype=torch.float64)
    assert_same(
        [evaluate(x, c_x, w, v, k), *gradients(lambda *a: evaluate(*a, k), (x, c_x, w, v), g)],
        [
            reference.evaluate(x, c_x, w, v, k),
            *gradients(lambda *a: reference.evaluate(*a, k), (x, c_x, w, v), g),
        ],
    )


@pytest.mark.parametrize("scope", SHAPES)
@pytest.mark.parametrize("s", [2, 3, 4, 5, 9])
def test_the_hermite_spline_is_the_reference(s: int, scope: str) -> None:
    A, shape = SHAPES[scope]
    c_x = (torch.rand(A, s, dtype=torch.float64) + 0.2).cumsum(1) - s / 3
    c_x.requires_grad_()
    x, c_y, m = leaf(*shape), leaf(A, s), leaf(A, s)
    if x.numel():
        with torch.no_grad():
            x.view(-1)[0] = c_x[0, 0]
            x.view(-1)[-1] = c_x[-1, -1]
    g = torch.randn(shape, dtype=torch.float64)
    inputs = (x, c_x, c_y, m)
    assert_same(
        [evaluate_hermite(*inputs), *gradients(evaluate_hermite, inputs, g)],
        [reference.evaluate_hermite(*inputs), *gradients(reference.evaluate_hermite, inputs, g)],
    )


@pytest.mark.parametrize("s", [2, 3, 4, 9])
def test_the_natural_spline_is_the_radial_sum(s: int, random_points: Points) -> None:
    c_x, c_y = (row.requires_grad_() for row in random_points(3, s))
    x = 2 * leaf(50, 3).detach()
    x.requires_grad_()
    g = torch.randn(50, 3, dtype=torch.float64)

    def printed(x: Tensor, c_x: Tensor, c_y: Tensor) -> Tensor:
        return reference.evaluate(x, c_x, *solve_coefficients(c_x, c_y, 3), 3)

    pieces = gradients(lambda *a: spline_through(*a, 3), (x, c_x, c_y), g)
    for one, other in zip(pieces, gradients(printed, (x, c_x, c_y), g), strict=True):
        # The printed sum cancels to 1e-12 of its terms.
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9 * (1 + float(other.abs().max())))


@pytest.mark.parametrize("s", [2, 3, 4, 5, 9])
def test_knot_slopes_pass_gradcheck(s: int, random_points: Points) -> None:
    c_x, c_y = random_points(2, s)
    c_x, order = c_x.sort(1)
    assert torch.autograd.gradcheck(
        knot_slopes, (c_x.requires_grad_(), c_y.gather(1, order).requires_grad_())
    )


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_second_derivatives_by_x_and_coefficients(k: int) -> None:
    inputs = leaf(2, 3), leaf(3, 2), leaf(3, 2), leaf(3, 2)
    assert torch.autograd.gradgradcheck(lambda *a: evaluate(*a, k), inputs)


def test_second_derivatives_of_the_hermite_spline() -> None:
    c_x = torch.tensor([[-1.0, 0.1, 1.2]], dtype=torch.float64, requires_grad=True)
    inputs = leaf(4), c_x, leaf(1, 3), leaf(1, 3)
    assert torch.autograd.gradgradcheck(evaluate_hermite, inputs)


@pytest.mark.parametrize("s", [3, 9])
@pytest.mark.parametrize("form", ["radial sum", "hermite"])
def test_only_x_is_saved_at_full_size(form: str, s: int) -> None:
    x = torch.randn(64, 8, 5, requires_grad=True)
    c_x = torch.linspace(-1, 1, s).repeat(8, 1).requires_grad_()
    rows = torch.randn(8, s, requires_grad=True)
    sizes: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: sizes.append(t.untyped_storage().nbytes()) or t, lambda t: t
    ):
        if form == "hermite":
            evaluate_hermite(x, c_x, rows, rows)
        else:
            evaluate(x, c_x, rows, rows[:, :2], 3)
    assert [n for n in sizes if n >= x.nbytes] == [x.nbytes]


@pytest.mark.parametrize(
    ("s", "inside", "tails"),
    [(3, 2e-7, 9e-7), (5, 3e-7, 9e-7), (9, 2e-7, 7e-6), (17, 2e-7, 2e-6), (33, 2e-7, 3e-6)],
)
def test_float32_error_of_order_3(s: int, inside: float, tails: float) -> None:
    """Within twice the errors known for the natural-spline form, on N(0, 1) heights, span 2."""
    c_x, c_y = torch.linspace(-1, 1, s).expand(300, s), torch.randn(300, s)
    x = torch.linspace(-1, 1, 500)[:, None].expand(-1, 300)
    far = torch.tensor([[-1000.0], [1000.0]]).expand(-1, 300)

    def error(x: Tensor) -> tuple[Tensor, Tensor]:
        exact = spline_through(x.double(), c_x.double(), c_y.double(), 3)
        return (spline_through(x, c_x, c_y, 3) - exact).abs(), exact.abs()

    # 1 % of splines are left out: a tail's relative error is unbounded where its slope vanishes.
    difference, exact = error(x)
    assert (difference.amax(0) / exact.amax(0)).quantile(0.99) <= 2 * inside
    difference, exact = error(far)
    assert (difference / exact).flatten().quantile(0.99) <= 2 * tails


def test_the_printed_sum_loses_float32_far_out() -> None:
    """Why order 3 has its own form: 17 points are wrong by 1 % at x = 1000, as Eq. 1 is summed."""
    c_x, c_y = torch.linspace(-1, 1, 17).expand(100, 17), torch.randn(100, 17)
    w, v = solve_coefficients(c_x, c_y, 3)
    far = torch.full((1, 100), 1000.0)
    exact = spline_through(far.double(), c_x.double(), c_y.double(), 3)
    assert ((evaluate(far, c_x, w, v, 3) - exact).abs() / exact.abs()).median() > 0.01


@pytest.mark.parametrize("k", ORDERS)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_input_is_computed_in_float32(k: int, half: torch.dtype) -> None:
    x = torch.linspace(-4, 4, 33).to(half)
    c_x, w, v = torch.randn(1, 3), 0.1 * torch.randn(1, 3), torch.randn(1, 2)
    y = evaluate(x, c_x, w, v, k)
    assert y.dtype == half
    assert torch.equal(y, evaluate(x.float(), c_x, w, v, k).to(half))


def test_coefficients_of_another_dtype_get_gradients_of_their_own() -> None:
    c_x, w, v = leaf(1, 3), leaf(1, 3), leaf(1, 2)
    evaluate(torch.randn(5), c_x, w, v, 3).sum().backward()
    assert c_x.grad is not None
    assert c_x.grad.dtype == torch.float64


class TestBadInput:
    @pytest.mark.parametrize(
        "shapes", [((3,), (3,), (2,)), ((2, 3), (2, 4), (2, 2)), ((2, 3), (2, 3), (1, 2))]
    )
    def test_coefficients_that_do_not_match(self, shapes: tuple[tuple[int, ...], ...]) -> None:
        with pytest.raises(ValueError, match=r"c_x and w must be \(A, s\) and v \(A, 2\), got"):
            evaluate(torch.zeros(4), *(torch.zeros(shape) for shape in shapes), 3)

    @pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4)])
    def test_x_that_does_not_fit(self, shape: tuple[int, ...]) -> None:
        rows = torch.zeros(5, 3)
        with pytest.raises(ValueError, match=r"x of shape .* does not fit A = 5 activation func"):
            evaluate(torch.zeros(shape), rows, rows, torch.zeros(5, 2), 3)

    def test_order(self) -> None:
        rows = torch.zeros(1, 3)
        with pytest.raises(ValueError, match="k must be an integer of at least 1, got 0"):
            evaluate(torch.zeros(4), rows, rows, torch.zeros(1, 2), 0)
