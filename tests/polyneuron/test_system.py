import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline, RBFInterpolator
from torch import Tensor

from polyneuron import SingularSystemError, evaluate, solve_coefficients, solve_isolated
from polyneuron.activations.interpolating import spline_through
from polyneuron.system import assemble

ORDERS = range(1, 8)
RBF_KERNELS = {1: "linear", 2: "thin_plate_spline", 3: "cubic", 5: "quintic"}
RBF_SIGN = {1: -1, 2: 1, 3: 1, 5: -1}
"""SciPy's kernels are -r, r^2 log r, r^3 and -r^5."""

H_SINGULAR = {4: 2 ** (-4 / 3), 6: 2 ** (-16 / 15)}
"""The gap at which three evenly spaced control points make Eq. 2 singular."""

Points = Callable[[int, int], tuple[Tensor, Tensor]]
property_test = settings(deadline=None, derandomize=True, max_examples=30)


@st.composite
def control_points(draw: st.DrawFn, s: int) -> tuple[Tensor, Tensor]:
    """One spline's control points (s,), unsorted: span 2, gaps within 1 : 2, heights within 1."""
    gaps = draw(st.lists(st.floats(1, 2), min_size=s - 1, max_size=s - 1))
    c_y = draw(st.lists(st.floats(-1, 1), min_size=s, max_size=s))
    c_x = 2 * np.cumsum([0.0, *gaps]) / np.sum(gaps) - 1
    order = draw(st.permutations(range(s)))
    return torch.tensor(c_x)[list(order)], torch.tensor(c_y, dtype=torch.float64)


def spline(x: Tensor, c_x: Tensor, c_y: Tensor, k: int) -> Tensor:
    """Eq. 1 at x (n,) for one spline (s,)."""
    w, v = solve_coefficients(c_x, c_y, k)
    return evaluate(x, c_x[None], w[None], v[None], k)


TOLERANCE = {3: 1e-12, 5: 2e-12, 9: 1e-11, 17: 1e-10, 33: 2e-9}
"""Agreement of independent solvers for k <= 3, by s: rounding grows with the system's condition.

SciPy's LAPACK picks its kernels by processor, and its last digits with them: each figure is some
ten times the largest difference seen on one processor.
"""

TOLERANCE_ORDER_5 = {3: 5e-12, 5: 1e-11, 9: 1e-10, 17: 1e-8}


# SciPy writes the same system with a scaled line; for k = 5 it would rather have a quadratic.
@pytest.mark.filterwarnings("ignore:`degree` should not be below 2")
@pytest.mark.parametrize(
    ("k", "s"),
    [(k, s) for k in RBF_KERNELS for s in (3, 5, 9, 17)] + [(1, 33), (2, 33), (3, 33)],
)
def test_values_and_coefficients_agree_with_scipy(k: int, s: int) -> None:
    tolerance = (TOLERANCE_ORDER_5 if k == 5 else TOLERANCE)[s]

    @given(points=control_points(s))
    @property_test
    def agrees(points: tuple[Tensor, Tensor]) -> None:
        c_x, c_y = points
        oracle = RBFInterpolator(c_x.numpy()[:, None], c_y.numpy(), kernel=RBF_KERNELS[k], degree=1)
        x = torch.linspace(-1, 1, 41, dtype=torch.float64)
        expected = torch.from_numpy(oracle(x.numpy()[:, None]))
        limit = tolerance * max(1, float(expected.abs().max()))
        torch.testing.assert_close(spline(x, c_x, c_y, k), expected, rtol=0, atol=limit)
        w, v = solve_coefficients(c_x, c_y, k)
        numbers = torch.from_numpy(oracle._coeffs[:, 0])
        slope = numbers[s + 1] / float(oracle._scale[0])
        offset = numbers[s] - slope * float(oracle._shift[0])
        # Coefficients carry the condition that the values, being backward stable, do not.
        loose = 10 * tolerance * max(1, float(numbers.abs().max()))
        torch.testing.assert_close(w, RBF_SIGN[k] * numbers[:s], rtol=0, atol=loose)
        torch.testing.assert_close(v, torch.stack([slope, offset]), rtol=0, atol=loose)

    agrees()


@pytest.mark.parametrize("s", [3, 5, 9, 17, 33])
def test_order_3_is_the_natural_cubic_spline(s: int) -> None:
    @given(points=control_points(s))
    @property_test
    def agrees(points: tuple[Tensor, Tensor]) -> None:
        c_x, order = points[0].sort()
        c_y = points[1][order]
        x = torch.linspace(-1, 1, 41, dtype=torch.float64)
        natural = CubicSpline(c_x.numpy(), c_y.numpy(), bc_type="natural")
        expected = torch.from_numpy(natural(x.numpy()))
        limit = max(1, float(expected.abs().max()))
        sums = TOLERANCE[s]
        torch.testing.assert_close(spline(x, c_x, c_y, 3), expected, rtol=0, atol=sums * limit)
        pieces = spline_through(x, c_x[None], c_y[None], 3)
        # A few roundings of numbers as large as the pieces' coefficients times their length.
        torch.testing.assert_close(pieces, expected, rtol=0, atol=1e-14 * limit)

    agrees()


@pytest.mark.parametrize("k", ORDERS)
@pytest.mark.parametrize("s", [2, 3, 5, 9])
def test_the_matrix_as_printed_is_solved(k: int, s: int, random_points: Points) -> None:
    c_x, c_y = random_points(4, s)
    w, v = solve_coefficients(c_x, c_y, k)
    z = torch.cat([w, v], dim=1)[:, :, None]
    right = torch.cat([c_y, torch.zeros(4, 2, dtype=torch.float64)], dim=1)
    residual = (assemble(c_x, k) @ z)[:, :, 0] - right
    # Backward stable: the residual is small against the products summed, not against c_y.
    size = (assemble(c_x, k).abs() @ z.abs())[:, :, 0]
    assert (residual.abs() <= 1e-12 * (size + 1)).all()


@pytest.mark.parametrize("k", ORDERS)
@pytest.mark.parametrize("s", [2, 3, 5, 9])
class TestInvariants:
    def test_passes_through_its_control_points(self, k: int, s: int, random_points: Points) -> None:
        for c_x, c_y in zip(*random_points(5, s), strict=True):
            # Elimination leaves a residual of some (s + 2) units in the last place of the largest
            # sum of sizes: 7e-15 for s = 2, 1e-9 for s = 9 and k = 7.
            z = torch.cat(solve_coefficients(c_x, c_y, k))
            size = float((assemble(c_x, k).abs() @ z.abs())[:s].max())
            atol = 8 * (s + 2) * torch.finfo(torch.float64).eps * size
            torch.testing.assert_close(spline(c_x, c_x, c_y, k), c_y, rtol=0, atol=atol)

    def test_moments_vanish(self, k: int, s: int, random_points: Points) -> None:
        c_x, c_y = random_points(5, s)
        w, _ = solve_coefficients(c_x, c_y, k)
        limit = 1e-12 * w.abs().sum(1)
        assert (w.sum(1).abs() <= limit).all()
        assert ((w * c_x).sum(1).abs() <= limit * c_x.abs().amax(1)).all()

    def test_points_on_a_line_give_the_line(self, k: int, s: int, random_points: Points) -> None:
        c_x, _ = random_points(5, s)
        w, v = solve_coefficients(c_x, 2 * c_x - 3, k)
        assert w.abs().max() < 1e-9
        torch.testing.assert_close(
            v, torch.tensor([2.0, -3.0], dtype=torch.float64).expand(5, 2), rtol=0, atol=1e-9
        )

    def test_order_of_points_does_not_matter(self, k: int, s: int, random_points: Points) -> None:
        c_x, c_y = random_points(5, s)
        w, v = solve_coefficients(c_x, c_y, k)
        back = torch.arange(s - 1, -1, -1)
        w_back, v_back = solve_coefficients(c_x[:, back], c_y[:, back], k)
        # The systems differ by their pivots: rounding times a condition of up to 1e7 here.
        torch.testing.assert_close(w_back[:, back], w, rtol=1e-7, atol=1e-9)
        torch.testing.assert_close(v_back, v, rtol=1e-7, atol=1e-8)

    def test_the_batch_shape_is_free(self, k: int, s: int, random_points: Points) -> None:
        c_x, c_y = random_points(6, s)
        w, v = solve_coefficients(c_x, c_y, k)
        w_deep, v_deep = solve_coefficients(c_x.reshape(2, 3, s), c_y.reshape(2, 3, s), k)
        assert torch.equal(w_deep, w.reshape(2, 3, s))
        assert torch.equal(v_deep, v.reshape(2, 3, 2))
        w_one, v_one = solve_coefficients(c_x[0], c_y[0], k)
        # LAPACK may block a batch otherwise than one matrix.
        torch.testing.assert_close(w_one, w[0], rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(v_one, v[0], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("k", ORDERS)
def test_two_points_give_exactly_the_line_through_them(k: int) -> None:
    c_x = torch.tensor([[3.0, -1.0], [0.1, 0.7]], dtype=torch.float64)
    c_y = torch.tensor([[5.0, 1.0], [0.3, -0.2]], dtype=torch.float64)
    w, v = solve_coefficients(c_x, c_y, k)
    assert torch.equal(w, torch.zeros_like(w))
    torch.testing.assert_close(c_x * v[:, :1] + v[:, 1:], c_y, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("k", "equivariant"), [(1, True), (2, True), (3, True), (4, False), (5, True), (6, False)]
)
def test_rescaled_points_give_the_rescaled_function_but_for_k_4_and_6(
    k: int, equivariant: bool, random_points: Points
) -> None:
    c_x, c_y = random_points(1, 5)
    c_x, c_y = c_x[0], c_y[0]
    x = torch.linspace(-2, 2, 81, dtype=torch.float64)
    moved = spline(0.5 * x + 3, 0.5 * c_x + 3, c_y, k)
    difference = float((moved - spline(x, c_x, c_y, k)).abs().max())
    if equivariant:
        assert difference < 1e-10
    else:
        assert difference > 0.01


class TestTails:
    """Outside the control points, in the form of the expansion of sum_i w_i U_k(|x - c_i|)."""

    def test_order_1_both_tails_are_the_same_line(self, random_points: Points) -> None:
        c_x, c_y = (row[0] for row in random_points(1, 5))
        _, v = solve_coefficients(c_x, c_y, 1)
        x = torch.tensor([-50.0, -9.0, 9.0, 50.0], dtype=torch.float64)
        torch.testing.assert_close(spline(x, c_x, c_y, 1), v[0] * x + v[1], rtol=1e-12, atol=1e-12)

    def test_order_2_tails_approach_one_slope(self, random_points: Points) -> None:
        c_x, c_y = (row[0] for row in random_points(1, 5))
        w, v = solve_coefficients(c_x, c_y, 2)
        second_moment = (w * c_x**2).sum()
        x = torch.tensor([-1e4, 1e4], dtype=torch.float64)
        expected = v[0] * x + v[1] + second_moment * (math.log(1e4) + 1.5)
        # The next term of the expansion is O(1 / x).
        torch.testing.assert_close(spline(x, c_x, c_y, 2), expected, rtol=0, atol=1e-3)

    def test_order_3_tails_are_straight_and_independent(self, random_points: Points) -> None:
        c_x, c_y = (row[0] for row in random_points(1, 5))
        w, v = solve_coefficients(c_x, c_y, 3)
        second, third = (w * c_x**2).sum(), (w * c_x**3).sum()
        right = torch.tensor([5.0, 50.0], dtype=torch.float64)
        beyond = 3 * second * right - third
        line = v[0] * right + v[1]
        torch.testing.assert_close(spline(right, c_x, c_y, 3), line + beyond, rtol=0, atol=1e-9)
        beyond = 3 * second * right + third
        line = -v[0] * right + v[1]
        torch.testing.assert_close(spline(-right, c_x, c_y, 3), line + beyond, rtol=0, atol=1e-9)

    @pytest.mark.parametrize(
        ("k", "y", "slopes"),
        [
            (1, (-2, 3), (0.5, 0.5)),
            (2, (-1.3797, 3.6203), (0.4274, 0.5726)),
            (3, (1, 6), (-0.25, 1.25)),
            (4, (27.49, 32.49), (-14.1, 15.1)),
            (5, (43, 48), (-26.5, 27.5)),
            (6, (436.8, 441.8), (-386, 387)),
        ],
    )
    def test_the_relu_like_start(
        self, k: int, y: tuple[float, float], slopes: tuple[float, float]
    ) -> None:
        c_x = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
        c_y = torch.relu(c_x)
        x = torch.tensor([-5.0, 5.0], dtype=torch.float64, requires_grad=True)
        value = spline(x, c_x, c_y, k)
        (slope,) = torch.autograd.grad(value.sum(), x)
        # The expected numbers are rounded to the digits shown.
        torch.testing.assert_close(value, torch.tensor(y, dtype=torch.float64), rtol=2e-4, atol=0)
        torch.testing.assert_close(
            slope, torch.tensor(slopes, dtype=torch.float64), rtol=4e-3, atol=0
        )

    @pytest.mark.parametrize(
        ("k", "w_0", "v"),
        [
            (1, -1 / 4, (0.5, 0.5)),
            (2, 0.1803369, (0.5, 0)),
            (3, 1 / 8, (0.5, -0.25)),
            (4, 0.0450842, (0.5, 0)),
            (5, 0.0178571, (0.5, -0.0357143)),
            (6, 0.0112711, (0.5, 0)),
        ],
    )
    def test_the_relu_like_coefficients(self, k: int, w_0: float, v: tuple[float, float]) -> None:
        c_x = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
        w, line = solve_coefficients(c_x, torch.relu(c_x), k)
        expected = w_0 * torch.tensor([1.0, -2.0, 1.0], dtype=torch.float64)
        torch.testing.assert_close(w, expected, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(line, torch.tensor(v, dtype=torch.float64), rtol=1e-5, atol=1e-7)


class TestGradients:
    @pytest.mark.parametrize("k", ORDERS)
    @pytest.mark.parametrize("s", [2, 3, 5, 9])
    def test_the_adjoint_passes_gradcheck(self, k: int, s: int, random_points: Points) -> None:
        c_x, c_y = (row.requires_grad_() for row in random_points(2, s))
        assert torch.autograd.gradcheck(
            lambda a, b: solve_coefficients(a, b, k),
            (c_x, c_y),
            # Differences of a system of condition up to 1e7 are exact to about 1e-4.
            eps=1e-6 if s < 9 else 1e-5,
            atol=1e-4,
            rtol=1e-3,
        )

    @pytest.mark.parametrize("k", ORDERS)
    @pytest.mark.parametrize("s", [3, 5, 9])
    def test_the_adjoint_equals_autograd_through_the_solver(
        self, k: int, s: int, random_points: Points
    ) -> None:
        c_x, c_y = (row.requires_grad_() for row in random_points(3, s))
        g = torch.randn(3, s + 2, dtype=torch.float64)
        right = torch.cat([c_y, torch.zeros(3, 2, dtype=torch.float64)], dim=1)
        plain = torch.linalg.solve(assemble(c_x, k), right)
        expected = torch.autograd.grad((plain * g).sum(), (c_x, c_y))
        z = torch.cat(solve_coefficients(c_x, c_y, k), dim=1)
        found = torch.autograd.grad((z * g).sum(), (c_x, c_y))
        for one, other in zip(found, expected, strict=True):
            # The plain solver works on the unscaled matrix, of condition up to 1e8.
            limit = 1e-7 if s == 9 and k > 4 else 1e-9
            assert (one - other).abs().max() <= limit * other.abs().max()

    @pytest.mark.parametrize("k", [2, 3, 5])
    def test_second_derivatives(self, k: int, random_points: Points) -> None:
        c_x, c_y = (row.requires_grad_() for row in random_points(1, 4))
        assert torch.autograd.gradgradcheck(
            lambda a, b: solve_coefficients(a, b, k), (c_x, c_y), atol=1e-4, rtol=1e-3
        )


def singular_cases() -> list[tuple[str, int, list[float]]]:
    cases = [("duplicates", k, [0.5, -1.0, 0.5, 2.0]) for k in ORDERS]
    cases += [("near duplicates", k, [-1.0, 0.0, 5e-7, 1.0]) for k in ORDERS]
    cases += [("two equal points", k, [0.5, 0.5]) for k in (1, 2, 3, 4)]
    cases += [("singular scale", k, [-h, 0.0, h]) for k, h in H_SINGULAR.items()]
    cases += [("not finite", k, [0.0, math.nan, 1.0]) for k in (2, 3, 5)]
    return cases


class TestSingularSystems:
    @pytest.mark.parametrize(("name", "k", "points"), singular_cases())
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
    def test_the_error_names_the_function_its_points_and_k(
        self, name: str, k: int, points: list[float], dtype: torch.dtype
    ) -> None:
        c_x = torch.linspace(-1, 1, len(points), dtype=dtype).repeat(3, 1)
        c_x[2] = torch.tensor(points, dtype=dtype)
        c_y = torch.randn(3, len(points), dtype=dtype)
        message = f"activation function 2 with k = {k} and control points c_x = \\("
        with pytest.raises(SingularSystemError, match=message) as caught:
            solve_coefficients(c_x, c_y, k)
        assert isinstance(caught.value, ValueError)
        assert caught.value.index == 2
        assert caught.value.k == k
        assert caught.value.control_points == pytest.approx(points, nan_ok=True, rel=1e-6)

    @pytest.mark.parametrize(
        ("points", "k", "reason"),
        [
            ([0.0, 0.0, 1.0], 3, "two points are closer than 1e-06 of their span; move them apart"),
            ([-H_SINGULAR[4], 0.0, H_SINGULAR[4]], 4, "no unique solution at this spacing"),
            ([0.0, math.inf, 1.0], 3, "c_x must be finite"),
        ],
    )
    def test_the_error_says_what_is_wrong(self, points: list[float], k: int, reason: str) -> None:
        with pytest.raises(SingularSystemError, match=reason):
            solve_coefficients(torch.tensor(points), torch.zeros(3), k)

    def test_heights_that_are_no_number_are_named(self) -> None:
        c_y = torch.tensor([0.0, math.nan, 1.0])
        with pytest.raises(SingularSystemError, match=r"c_y must be finite, got \(0.0, nan, 1.0\)"):
            solve_coefficients(torch.tensor([-1.0, 0.0, 1.0]), c_y, 3)

    def test_the_error_survives_pickling(self) -> None:
        import pickle

        error = SingularSystemError(3, (0.0, 0.0, 1.0), 3, "two points")
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)
        assert (copy.index, copy.control_points, copy.k) == (3, (0.0, 0.0, 1.0), 3)

    @pytest.mark.parametrize(("name", "k", "points"), singular_cases())
    def test_bad_members_leave_the_others_as_they_are(
        self, name: str, k: int, points: list[float], random_points: Points
    ) -> None:
        good_x, good_y = random_points(3, len(points))
        bad = torch.tensor(points, dtype=torch.float64)
        c_x = torch.stack([good_x[0], bad, good_x[1], good_x[2], bad]).requires_grad_()
        c_y = torch.stack([good_y[0], good_y[1], good_y[1], good_y[2], good_y[0]]).requires_grad_()
        w, v, singular = solve_isolated(c_x, c_y, k)
        assert singular.tolist() == [False, True, False, False, True]
        good = [0, 2, 3]
        g = torch.randn(5, len(points) + 2, dtype=torch.float64)
        grads = torch.autograd.grad((torch.cat([w, v], dim=1) * g).sum(), (c_x, c_y))

        alone_x, alone_y = good_x.requires_grad_(), good_y.requires_grad_()
        w_alone, v_alone, none = solve_isolated(alone_x, alone_y, k)
        assert not none.any()
        z_alone = torch.cat([w_alone, v_alone], dim=1)
        grads_alone = torch.autograd.grad((z_alone * g[good]).sum(), (alone_x, alone_y))

        assert torch.equal(w[good], w_alone)
        assert torch.equal(v[good], v_alone)
        assert w[singular].abs().max() == v[singular].abs().max() == 0
        for grad, alone in zip(grads, grads_alone, strict=True):
            assert torch.equal(grad[good], alone)
            assert grad[singular].abs().max() == 0

    @pytest.mark.parametrize(
        ("h", "w_0"), [(1.0, 0.045), (0.40, 82.0), (0.397, 1765.0), (0.39, -40.0)]
    )
    def test_shrinking_gaps_cross_the_singular_scale_of_k_4(self, h: float, w_0: float) -> None:
        c_x = torch.tensor([-h, 0.0, h], dtype=torch.float64)
        w, _ = solve_coefficients(c_x, torch.relu(c_x), 4)
        assert w[0].item() == pytest.approx(w_0, rel=0.02)

    @pytest.mark.parametrize("k", [4, 6])
    def test_larger_systems_cross_a_singular_scale_too(self, k: int) -> None:
        spans = torch.linspace(0.3, 0.9 if k == 4 else 16.0, 400, dtype=torch.float64)
        c_x = torch.linspace(-0.5, 0.5, 5, dtype=torch.float64) * spans[:, None]
        signs = torch.linalg.slogdet(assemble(c_x, k)).sign
        crossings = (signs[1:] != signs[:-1]).nonzero()[:, 0]
        assert len(crossings) == (1 if k == 4 else len(crossings)) >= 1
        low, high = spans[crossings[0]], spans[crossings[0] + 1]
        for _ in range(60):
            middle = (low + high) / 2
            here = torch.linalg.slogdet(assemble(c_x[0] / spans[0] * middle, k)).sign
            low, high = (middle, high) if here == signs[crossings[0]] else (low, middle)
        with pytest.raises(SingularSystemError, match="no unique solution at this spacing"):
            solve_coefficients(c_x[0] / spans[0] * low, torch.randn(5, dtype=torch.float64), k)

    @pytest.mark.parametrize("k", [1, 2, 3, 5, 7])
    def test_sound_orders_are_never_singular(self, k: int) -> None:
        @given(points=control_points(5), scale=st.floats(-3, 3))
        @property_test
        def solves(points: tuple[Tensor, Tensor], scale: float) -> None:
            solve_coefficients(points[0] * 10**scale, points[1], k)

        solves()


class TestBadInput:
    @pytest.mark.parametrize("shapes", [((3,), (4,)), ((2, 3), (3,)), ((1,), (1,)), ((), ())])
    def test_shapes(self, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
        with pytest.raises(ValueError, match=r"same shape \(..., s\) with s of at least 2, got"):
            solve_coefficients(torch.zeros(shapes[0]), torch.zeros(shapes[1]), 3)

    @pytest.mark.parametrize("k", [0, 1.5, "3"])
    def test_order(self, k: object) -> None:
        with pytest.raises(ValueError, match="k must be an integer of at least 1"):
            solve_coefficients(torch.zeros(3), torch.zeros(3), k)

    def test_dtype(self) -> None:
        with pytest.raises(ValueError, match=r"floating-point, got torch.int64 and torch.float32"):
            solve_coefficients(torch.arange(3), torch.zeros(3), 3)


def test_conditions_of_the_printed_matrix_are_those_tabled() -> None:
    tabled = {(3, 3): 35, (5, 3): 2e2, (9, 3): 3e3, (3, 5): 5e2, (9, 1): 6e1, (5, 5): 4e2}
    for (s, k), expected in tabled.items():
        c_x = torch.linspace(-1, 1, s, dtype=torch.float64)
        # The table gives one digit.
        assert float(torch.linalg.cond(assemble(c_x, k))) == pytest.approx(expected, rel=0.5)
    gaps = [1.0, 0.1, 0.01]
    conditions = [
        float(torch.linalg.cond(assemble(torch.tensor([-1.0, 0.0, gap]).double(), 3)))
        for gap in gaps
    ]
    assert all(b > 3 * a for a, b in pairwise(conditions))
