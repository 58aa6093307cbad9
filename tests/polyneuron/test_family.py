"""Each rival's values against its formula, written out once more with NumPy."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.interpolate import BSpline, CubicHermiteSpline
from scipy.special import erf, expit
from torch import Tensor, nn

from polyneuron import make_activation
from polyneuron.activations.pade import FIT_RANGE, LEAK, leaky_relu_fit

X = np.linspace(-6, 6, 241)
Array = NDArray[np.float64]

pytestmark = pytest.mark.usefixtures("float64")


def shake(module: nn.Module) -> nn.Module:
    """Move every parameter off its start, for no term to be hidden by a 0 or a 1."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module.eval()


def row(tensor: Tensor) -> Array:
    return np.asarray(tensor.detach()[0].numpy(), dtype=np.float64)


def elu(x: Array) -> Array:
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)


def srelu(m: nn.Module, x: Array) -> Array:
    t_l, a_l, t_r, a_r = (float(p.detach()) for p in (m.t_left, m.a_left, m.t_right, m.a_right))
    assert t_l < t_r
    return np.where(x <= t_l, t_l + a_l * (x - t_l), np.where(x >= t_r, t_r + a_r * (x - t_r), x))


def blending(m: nn.Module, x: Array) -> Array:
    members = [np.tanh(x), elu(x), np.maximum(x, 0), x, x * expit(x)]
    return sum(w * f for w, f in zip(row(m.weights), members, strict=True))


def ensemble(m: nn.Module, x: Array) -> Array:
    alpha = np.exp(row(m.logits)) / np.exp(row(m.logits)).sum()
    y = np.zeros_like(x)
    for j, member in enumerate((expit, np.tanh, lambda t: np.maximum(t, 0))):
        low, high = float(member(-3.0)), float(member(3.0))
        h = (member(x) - low) / (high - low + 1e-5)
        y += alpha[j] * (row(m.eta)[j] * h + row(m.delta)[j])
    return y


def pade(m: nn.Module, x: Array) -> Array:
    numerator = sum(a * x**j for j, a in enumerate(row(m.a)))
    return numerator / (1 + abs(sum(b * x ** (j + 1) for j, b in enumerate(row(m.b)))))


def apl(m: nn.Module, x: Array) -> Array:
    hinges = zip(row(m.a), row(m.b), strict=True)
    return np.maximum(x, 0) + sum(a * np.maximum(0, b - x) for a, b in hinges)


def straight_outside(inner: Callable[[Array], Array], slope: Callable, end: float) -> Callable:
    def extended(x: Array) -> Array:
        at = np.clip(x, -end, end)
        return inner(at) + slope(at) * (x - at)

    return extended


def cubic_spline(m: nn.Module, x: Array) -> Array:
    t, y = np.linspace(-2, 2, 21), row(m.c_y)
    spline = CubicHermiteSpline(t, y, np.gradient(y, t))
    return straight_outside(spline, spline.derivative(), 2)(x)


def bspline(m: nn.Module, x: Array) -> Array:
    h = 0.3
    knots = -3 + h * np.arange(-3, 24)
    spline = BSpline(knots, row(m.a), 3)
    return straight_outside(spline, spline.derivative(), 3)(x)


FORMULAS: dict[str, Callable[[nn.Module, Array], Array]] = {
    "relu": lambda m, x: np.maximum(x, 0),
    "swish": lambda m, x: x * expit(float(m.beta.detach()) * x),
    "apl": apl,
    "prelu": lambda m, x: np.where(x > 0, x, float(m.a.detach()) * x),
    "srelu": srelu,
    "abu": blending,
    "ensemble": ensemble,
    "pade": pade,
    "cubic_spline": cubic_spline,
    "bspline": bspline,
    "gelu": lambda m, x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "silu": lambda m, x: x * expit(x),
    "mish": lambda m, x: x * np.tanh(np.logaddexp(0, x)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_values_are_those_of_the_formula(name: str) -> None:
    module = shake(make_activation(name))
    found = module(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(found, FORMULAS[name](module, X), rtol=1e-11, atol=1e-12)


class TestStarts:
    def test_swish_is_silu(self) -> None:
        x = torch.from_numpy(X)
        torch.testing.assert_close(make_activation("swish")(x), make_activation("silu")(x))

    def test_apl_is_drawn_as_the_authors_layer_draws_it(self) -> None:
        module = make_activation("apl", channels=10_000, scope="channel")
        a, b = module.a.detach(), module.b.detach()
        assert a.shape == b.shape == (10_000, 5)
        assert a.abs().max() <= 0.1
        # U(-0.1, 0.1) and N(0, 0.5^2), each of 50,000 draws.
        assert float(a.std()) == pytest.approx(0.1 / math.sqrt(3), rel=0.02)
        assert float(b.std()) == pytest.approx(0.5, rel=0.02)

    def test_apl_may_start_as_relu(self) -> None:
        x = torch.from_numpy(X)
        torch.testing.assert_close(make_activation("apl", a_bound=0)(x), torch.relu(x))

    @pytest.mark.parametrize("name", ["prelu", "srelu"])
    def test_leaky_relu(self, name: str) -> None:
        x = torch.from_numpy(X)
        torch.testing.assert_close(
            make_activation(name)(x), torch.nn.functional.leaky_relu(x, 0.25)
        )

    def test_srelu_stays_continuous_when_its_thresholds_cross(self) -> None:
        module = make_activation("srelu", t_left=1.0, t_right=-1.0, a_right=0.5)
        steps = module(torch.linspace(-3, 3, 6001)).diff().abs()
        assert steps.max() < 2e-3

    def test_the_blend_is_the_mean_of_its_members(self) -> None:
        x = torch.from_numpy(X)
        members = [torch.tanh(x), nn.ELU()(x), torch.relu(x), x, nn.SiLU()(x)]
        torch.testing.assert_close(make_activation("abu")(x), torch.stack(members).mean(0))

    def test_the_pade_unit_fits_leaky_relu(self) -> None:
        x = torch.linspace(-FIT_RANGE, FIT_RANGE, 601)
        difference = make_activation("pade")(x) - torch.nn.functional.leaky_relu(x, LEAK)
        # A rational function of these degrees misses the kink by about 0.04.
        assert difference.abs().max() < 0.05
        assert difference.abs().mean() < 0.01
        assert min(leaky_relu_fit()[1]) >= 0  # so that the absolute value changes nothing

    def test_the_cubic_spline_samples_its_start(self) -> None:
        grid = torch.linspace(-2, 2, 21)
        torch.testing.assert_close(make_activation("cubic_spline")(grid), torch.tanh(grid))
        by_relu = make_activation("cubic_spline", start="relu")
        torch.testing.assert_close(by_relu(grid), torch.relu(grid))

    def test_the_bspline_is_relu_but_near_zero(self) -> None:
        x = torch.linspace(-9, 9, 1201)
        difference = (make_activation("bspline")(x) - torch.relu(x)).detach()
        assert difference[x.abs() >= 0.3].abs().max() < 1e-12
        assert float(difference.max()) == pytest.approx(0.3 / 6, rel=1e-6)


class TestEnsemble:
    def test_training_normalises_each_function_by_its_own_batch(self) -> None:
        module = make_activation("ensemble", channels=3, scope="channel")
        x = torch.randn(40, 3, 2) * torch.tensor([1.0, 5.0, 20.0])[:, None]
        rows = module(x).detach().transpose(0, 1).reshape(3, -1)
        # alpha = 1/3, eta = 1, delta = 0: a mean of members in [0, 1]; the largest input has all 1.
        torch.testing.assert_close(rows.amin(1), torch.zeros(3), rtol=0, atol=1e-12)
        torch.testing.assert_close(rows.amax(1), torch.ones(3), rtol=0, atol=1e-4)

    def test_evaluation_uses_running_means(self) -> None:
        module = make_activation("ensemble", momentum=0.5)
        low, high = module.low.clone(), module.high.clone()
        x = 2 * torch.rand(100)
        module(x)
        for running, start, end in ((module.low, low, x.min()), (module.high, high, x.max())):
            batch = torch.stack([torch.sigmoid(end), torch.tanh(end), torch.relu(end)])
            torch.testing.assert_close(running[0], (start[0] + batch) / 2)
        module.eval()
        before = module.low.clone()
        torch.testing.assert_close(module(x)[:3], module(x[:3]))
        assert torch.equal(module.low, before)

    def test_the_curve_does_not_depend_on_the_mode_or_the_grid(self) -> None:
        module = make_activation("ensemble")
        grid = torch.linspace(-2, 2, 9)
        curve = module.curve(grid)
        assert torch.equal(module.curve(grid[:4]), curve[:, :4])
        torch.testing.assert_close(curve[0], module.eval()(grid).detach())

    def test_training_passes_gradcheck(self) -> None:
        module = shake(make_activation("ensemble")).train()
        assert torch.autograd.gradcheck(module, torch.randn(6, requires_grad=True))
