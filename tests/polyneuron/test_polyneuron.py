import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from polyneuron import (
    PolyNeuron,
    PolyNeuronOrdered,
    PolyNeuronR,
    SingularSystemError,
    basis,
    evaluate,
    solve_coefficients,
)
from polyneuron.kernels.radial.formula import radial_sum

SCOPES = {"layer": None, "channel": 3, "neuron": (3, 2)}

Points = Callable[[int, int], tuple[Tensor, Tensor]]
property_test = settings(deadline=None, derandomize=True, max_examples=50)


def parameters_pass_gradcheck(module: nn.Module, x: Tensor) -> bool:
    names = [name for name, _ in module.named_parameters()]

    def output(x: Tensor, *parameters: Tensor) -> Tensor:
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), x)

    # Differences of systems of condition up to 1e7 are exact to about 1e-4.
    return torch.autograd.gradcheck(output, (x, *module.parameters()), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", [PolyNeuron, PolyNeuronR])
@pytest.mark.parametrize("s", [2, 3, 5, 9])
@pytest.mark.parametrize("k", range(1, 7))
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.filterwarnings("ignore::polyneuron.PolyNeuronWarning")
@pytest.mark.usefixtures("float64")
def test_gradcheck(
    kind: type[PolyNeuron | PolyNeuronR], s: int, k: int, scope: str, random_points: Points
) -> None:
    module = kind(s, k, SCOPES[scope])
    c_x, c_y = random_points(module.functions, s)
    with torch.no_grad():
        module.c_x.copy_(c_x)
        if isinstance(module, PolyNeuron):
            module.c_y.copy_(c_y)
        else:
            module.w.copy_(c_y)
    x = torch.randn(2, 3, 2)
    if k > 1:  # no derivative at |x|'s kink
        x[0, 0, 0] = c_x[0, 0]
    assert parameters_pass_gradcheck(module, x.requires_grad_())


@pytest.mark.parametrize("kind", [PolyNeuron, PolyNeuronR])
@pytest.mark.usefixtures("float64")
def test_at_the_kinks_of_order_1_the_slope_is_the_mean_of_both_sides(
    kind: type[PolyNeuron | PolyNeuronR],
) -> None:
    module = kind(5, 1)
    points = module.c_x.detach()[0]
    x = torch.cat([points - 1e-3, points, points + 1e-3]).requires_grad_()
    (slope,) = torch.autograd.grad(module(x).sum(), x)
    left, at, right = slope.reshape(3, 5)
    torch.testing.assert_close(at, (left + right) / 2)


@pytest.mark.parametrize("s", [2, 3, 5, 9])
@pytest.mark.parametrize("k", range(1, 8))
@pytest.mark.filterwarnings("ignore::polyneuron.PolyNeuronWarning")
@pytest.mark.usefixtures("float64")
def test_polyneuron_is_eq_1_with_the_solution_of_eq_2(
    s: int, k: int, random_points: Points
) -> None:
    module = PolyNeuron(s, k, channels=4)
    with torch.no_grad():
        for parameter, values in zip((module.c_x, module.c_y), random_points(4, s), strict=True):
            parameter.copy_(values)
    x = 2 * torch.randn(20, 4)
    w, v = solve_coefficients(module.c_x, module.c_y, k)
    expected = radial_sum(x, module.c_x, w, v, k)
    limit = 1e-10 * float(expected.detach().abs().max())
    torch.testing.assert_close(module(x), expected, rtol=0, atol=limit)
    torch.testing.assert_close(module(module.c_x.T), module.c_y.T, rtol=0, atol=1e-9)


@pytest.mark.usefixtures("float64")
def test_polyneuron_r_is_eq_1() -> None:
    module = PolyNeuronR(5, 2, channels=4, init="random")
    x = torch.randn(20, 4)
    expected = radial_sum(x, module.c_x, module.w, module.v, 2)
    torch.testing.assert_close(module(x), expected)
    torch.testing.assert_close(
        module.c_y, radial_sum(module.c_x.T, module.c_x, module.w, module.v, 2).T
    )


@pytest.mark.parametrize("kind", [PolyNeuron, PolyNeuronR])
def test_the_curve_is_the_function(kind: type[PolyNeuron | PolyNeuronR]) -> None:
    module = kind(channels=3, init="random")
    grid = torch.linspace(-2, 2, 17, dtype=torch.float64)
    curve = module.curve(grid)
    assert curve.shape == (3, 17)
    assert curve.dtype == torch.float64
    assert not curve.requires_grad
    w, v = module.coefficients()
    plain = radial_sum(
        grid[:, None].expand(-1, 3), *(row.double() for row in (module.c_x, w, v)), 3
    )
    # w and v were rounded to float32.
    torch.testing.assert_close(curve, plain.T.detach(), rtol=1e-3, atol=1e-3)


FAR = torch.tensor([10.0, 1000.0, 1e4, 1e6])


@pytest.mark.parametrize("s", [3, 5, 9, 33])
def test_tails_of_polyneuron_lose_nothing_far_away(s: int) -> None:
    activation = PolyNeuron(s)
    x = torch.cat([-FAR, FAR, 1.0001 * FAR])
    exact = copy.deepcopy(activation).double()(x.double())
    # A slope and an offset of float32, a product and a sum: less than 4 units each.
    limit = 4 * torch.finfo(x.dtype).eps * (x.double().abs() + exact.abs())
    assert bool(((activation(x).double() - exact).abs() <= limit).all())


def test_tails_of_polyneuron_r_lose_what_its_terms_do() -> None:
    """At 10,000 a quarter of the value: each of three terms is 1e11, and their sum 1e4."""
    activation = PolyNeuronR()
    x = torch.cat([-FAR, FAR, 1.0001 * FAR])
    exact = copy.deepcopy(activation).double()(x.double())
    terms = activation.w[0] * basis((x[:, None] - activation.c_x[0]).abs(), 3)
    error = (activation(x).double() - exact).abs()
    assert bool((error <= 4 * torch.finfo(x.dtype).eps * terms.abs().sum(1)).all())


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.filterwarnings("ignore::polyneuron.PolyNeuronWarning")
class TestSingularFunctions:
    def collapse(self, k: int) -> PolyNeuron:
        module = PolyNeuron(3, k, channels=4)
        with torch.no_grad():
            module.c_x[2] = torch.tensor([1.0, 0.5, 1.0])
        return module

    def test_forward_raises(self, k: int) -> None:
        with pytest.raises(SingularSystemError, match="activation function 2 with k") as caught:
            self.collapse(k)(torch.zeros(5, 4))
        assert caught.value.index == 2
        assert caught.value.control_points == (1.0, 0.5, 1.0)

    def test_coefficients_raises(self, k: int) -> None:
        with pytest.raises(SingularSystemError, match="two points are closer than 1e-06"):
            self.collapse(k).coefficients()

    def test_parameters_that_are_no_number_raise(self, k: int) -> None:
        for name in ("c_x", "c_y"):
            module = PolyNeuron(3, k)
            with torch.no_grad():
                getattr(module, name)[0, 1] = float("nan")
            with pytest.raises(SingularSystemError, match=f"{name} must be finite"):
                module(torch.zeros(5))


@pytest.mark.parametrize(("s", "k"), [(3, 3), (3, 2), (5, 1)])
def test_compiled_singular_functions_are_not_a_number(s: int, k: int) -> None:
    """Compiled code cannot raise; the other functions keep their values."""
    module = PolyNeuron(s, k, channels=3)
    x = torch.randn(6, 3)
    expected = module(x)
    with torch.no_grad():
        module.c_x[1, 0] = module.c_x[1, 1]
    torch._dynamo.reset()
    y = torch.compile(module, backend="aot_eager", fullgraph=True)(x)
    assert torch.isnan(y[:, 1]).all()
    torch.testing.assert_close(y[:, [0, 2]], expected[:, [0, 2]])


class TestInstabilityOfClosePoints:
    """§3: a boundary point near its neighbour blows the tail up, if its height does not follow."""

    def right_slope(self, gap: float, height: float) -> float:
        module = PolyNeuron()
        with torch.no_grad():
            module.c_x[0, 2], module.c_y[0, 2] = gap, height
        x = torch.tensor([50.0], requires_grad=True)
        return float(torch.autograd.grad(module(x).sum(), x)[0])

    @pytest.mark.parametrize(("gap", "slope"), [(1.0, 1.25), (0.1, 10.5), (0.01, 100.5)])
    def test_with_the_height_fixed(self, gap: float, slope: float) -> None:
        assert self.right_slope(gap, 1.0) == pytest.approx(1 / gap + 0.5 / (1 + gap), rel=1e-5)
        assert self.right_slope(gap, 1.0) == pytest.approx(slope, rel=5e-3)

    @pytest.mark.parametrize("gap", [0.1, 0.01, 0.001])
    def test_with_the_height_following(self, gap: float) -> None:
        assert self.right_slope(gap, gap) == pytest.approx(1.0, abs=0.05)


class TestPolyNeuronOrdered:
    @pytest.mark.parametrize("slopes", [False, True])
    @pytest.mark.parametrize("init", ["relu_like", "smooth_relu", "random"])
    @pytest.mark.parametrize("s", [2, 3, 5])
    @pytest.mark.filterwarnings("ignore::polyneuron.PolyNeuronWarning")
    @pytest.mark.usefixtures("float64")
    def test_starts_as_polyneuron(self, s: int, init: str, slopes: bool) -> None:
        def start(kind: Callable[..., nn.Module]) -> Tensor:
            generator = torch.Generator().manual_seed(3)
            return kind(s=s, channels=4, init=init, generator=generator)(x)

        x = torch.randn(30, 4)
        ordered = start(lambda **options: PolyNeuronOrdered(slopes=slopes, min_gap=1e-3, **options))
        torch.testing.assert_close(ordered, start(PolyNeuron), rtol=1e-9, atol=1e-9)

    def test_the_papers_points_in_its_parameters(self) -> None:
        module = PolyNeuronOrdered(slopes=True)
        assert module.raw_gaps.detach().tolist()[0] == pytest.approx([0.52546, 0.52546], abs=1e-5)
        assert module.secants is not None
        assert module.secants.detach().tolist()[0] == pytest.approx([0, 1], abs=1e-6)

    @given(raw=st.lists(st.floats(-200, 50), min_size=4, max_size=4))
    @property_test
    def test_points_stay_in_order_and_apart(self, raw: list[float]) -> None:
        module = PolyNeuronOrdered(5, min_gap=0.01).double()
        with torch.no_grad():
            module.raw_gaps.copy_(torch.tensor(raw, dtype=torch.float64))
        # The points are sums of gaps up to 200, rounded.
        assert (module.c_x.diff(dim=1) >= 0.01 - 1e-12).all()
        assert torch.isfinite(module(torch.linspace(-3, 3, 7, dtype=torch.float64))).all()

    @given(
        raw=st.lists(st.floats(-50, 5), min_size=4, max_size=4),
        secants=st.lists(st.floats(-10, 10), min_size=4, max_size=4),
    )
    @property_test
    def test_secant_slopes_bound_the_slope(self, raw: list[float], secants: list[float]) -> None:
        module = PolyNeuronOrdered(5, min_gap=1e-3, slopes=True).double()
        assert module.secants is not None
        with torch.no_grad():
            module.raw_gaps.copy_(torch.tensor(raw, dtype=torch.float64))
            module.secants.copy_(torch.tensor(secants, dtype=torch.float64))
        steps = torch.linspace(-0.5, 1.5, 401, dtype=torch.float64)
        low, high = module.c_x.detach().aminmax()
        x = (low + steps * (high - low)).requires_grad_()
        (slope,) = torch.autograd.grad(module(x).sum(), x)
        assert slope.abs().max() <= 3 * max(map(abs, secants)) + 1e-9

    @given(
        gap=st.floats(-30, 3),
        m_1=st.floats(-10, 10),
        m_2=st.floats(-10, 10),
    )
    @property_test
    def test_the_right_tail_of_three_points(self, gap: float, m_1: float, m_2: float) -> None:
        module = PolyNeuronOrdered(min_gap=1e-4, slopes=True).double()
        assert module.secants is not None
        with torch.no_grad():
            module.raw_gaps[0, 1] = gap
            module.secants.copy_(torch.tensor([[m_1, m_2]]))
        x = torch.tensor([1e3], dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(module(x).sum(), x)
        assert abs(float(slope)) <= 1.5 * abs(m_2) + 0.5 * abs(m_1) + 1e-6

    @pytest.mark.parametrize("slopes", [False, True])
    @pytest.mark.parametrize("k", [1, 2, 3, 5])
    @pytest.mark.usefixtures("float64")
    def test_gradcheck(self, k: int, slopes: bool) -> None:
        module = PolyNeuronOrdered(5, k, channels=3, slopes=slopes)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        assert parameters_pass_gradcheck(module, torch.randn(4, 3, requires_grad=True))

    def test_coefficients_are_those_of_its_points(self) -> None:
        module = PolyNeuronOrdered(5, channels=2, slopes=True)
        w, v = module.coefficients()
        x = torch.randn(10, 2)
        torch.testing.assert_close(evaluate(x, module.c_x, w, v, 3), module(x), rtol=0, atol=1e-4)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"min_gap": 0}, "min_gap must be a finite number above 0 and below 1, got 0"),
            ({"min_gap": 1.0}, "min_gap must be a finite number above 0 and below 1, got 1.0"),
            ({"min_gap": 0.3, "s": 9}, "min_gap must be a finite number above 0 and below 0.25"),
            ({"slopes": 1}, "slopes must be True or False, got 1"),
        ],
    )
    def test_bad_options(self, options: dict[str, object], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            PolyNeuronOrdered(**options)
