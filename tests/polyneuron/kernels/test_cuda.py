"""The way from an operator to a Triton kernel, walked on the CPU, where Triton is interpreted."""

import copy
import dataclasses
import itertools

import pytest
import torch
from torch import Tensor, nn

from polyneuron import make_activation, normalised_activation
from polyneuron.kernels import compiler, cpu, cuda, spline
from polyneuron.kernels.compiler import KernelWarning
from polyneuron.kernels.cuda import NormCase
from polyneuron.kernels.functions import (
    APL,
    BLENDING,
    ENSEMBLE,
    HERMITE,
    NATURAL,
    PADE,
    PRELU,
    RELU,
    SRELU,
    SWISH,
    Function,
    radial,
)
from polyneuron.natural_spline import natural_spline

pytest.importorskip("triton")

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
FUNCTIONS = [
    *((radial(2), 3), (radial(3), 3), (HERMITE, 4), (NATURAL, 5), (SWISH, 1), (APL, 2)),
    *((PRELU, 1), (SRELU, 4), (PADE, 6), (BLENDING, 5), (ENSEMBLE, 4)),
]
CASE = NormCase(
    columns=3,
    shared=True,
    channels_last=True,
    residual=True,
    training=True,
    dtype=torch.float32,
    device=DEVICE,
)


@pytest.fixture(autouse=True)
def _forget() -> None:
    cuda._verified.cache_clear()
    cuda._norm_verified.cache_clear()
    cuda._spline_verified.cache_clear()
    compiler.warn_of_plain_formulas.cache_clear()


@pytest.fixture
def _by_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send tensors on the CPU the way that those on a GPU go, where there is none."""
    monkeypatch.setattr(cuda, "DEVICES", (DEVICE.type,))
    monkeypatch.setattr(cpu, "_library", lambda *_: None)


@pytest.mark.parametrize(("function", "columns"), FUNCTIONS, ids=lambda value: str(value)[:24])
def test_a_kernel_agrees_with_its_formula(function: Function, columns: int) -> None:
    assert cuda._verified(function, columns, torch.float32, DEVICE)


def test_a_first_use_in_an_evaluation_finds_the_same() -> None:
    with torch.inference_mode():
        assert cuda._verified(SWISH, 1, torch.float32, DEVICE)
        assert cuda._norm_verified(radial(3), CASE)


@pytest.mark.parametrize(
    ("function", "columns", "training", "residual", "channels_last"),
    [
        (*function, *switches)
        for function, switches in zip(
            itertools.cycle([*FUNCTIONS, (RELU, 0)]),
            itertools.product((True, False), repeat=3),
            strict=False,
        )
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_kernel_behind_a_norm_agrees_with_its_formula(
    function: Function, columns: int, training: bool, residual: bool, channels_last: bool
) -> None:
    switches = {"training": training, "residual": residual, "channels_last": channels_last}
    for dtype in (torch.float32, torch.bfloat16):
        case = dataclasses.replace(CASE, columns=columns, shared=residual, dtype=dtype, **switches)
        assert cuda._norm_verified(function, case)


def test_one_that_disagrees_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = cuda._kernels()
    forward, norm_forward = kernels.forward, kernels.norm_forward
    monkeypatch.setattr(kernels, "forward", lambda x, *f: forward(x, *f) + 0.1)
    with pytest.warns(KernelWarning, match="Triton kernel of swish disagrees with its formula"):
        assert not cuda._verified(SWISH, 1, torch.float32, DEVICE)

    def without_momentum(*arguments: object) -> object:
        z, residual, weight, bias, mean, variance, eps, _, *rest = arguments
        return norm_forward(z, residual, weight, bias, mean, variance, eps, 0.0, *rest)

    monkeypatch.setattr(kernels, "norm_forward", without_momentum)
    with pytest.warns(KernelWarning, match="kernel of batch norm and relu disagrees with its"):
        assert not cuda._norm_verified(RELU, CASE)


def test_one_that_does_not_compile_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("PTX codegen error\nand much more")

    monkeypatch.setattr(cuda._kernels(), "forward", broken)
    with pytest.warns(KernelWarning, match="several times slower: Triton: PTX codegen error$"):
        assert not cuda._verified(SWISH, 1, torch.float32, DEVICE)


def test_the_cpu_and_doubles_have_no_triton_kernel() -> None:
    beta = torch.ones(1)
    assert not cuda.available(SWISH, torch.zeros(3), [beta])
    assert not cuda.available(SWISH, torch.zeros(3, dtype=torch.float64), [beta])
    assert not cuda.norm_available(SWISH, torch.zeros(2, 3, 4, 4), None, [beta], True)


@pytest.mark.usefixtures("_by_triton")
class TestSpline:
    """Control points of a network, solved for by Triton."""

    def points(self) -> list[Tensor]:
        c_x = torch.linspace(-1, 1, 5).repeat(4, 1).gather(1, torch.rand(4, 5).argsort(1))
        return [t.to(DEVICE).requires_grad_() for t in (c_x, torch.randn(4, 5))]

    def test_is_the_formula_twice_differentiated(self) -> None:
        points, found = self.points(), []
        for solve in (spline.natural_spline, natural_spline):
            *outputs, singular = solve(*points)
            value = sum((output**2).sum() for output in outputs)
            first = torch.autograd.grad(value, points, create_graph=True)
            second = torch.autograd.grad(sum((g**2).sum() for g in first), points)
            found.append([*outputs, *first, *second, singular.float()])
        assert "NaturalSpline" in type(spline.natural_spline(*points)[2].grad_fn).__name__
        for one, other in zip(*found, strict=True):
            size = float(other.detach().abs().max())
            torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * size)

    def test_points_that_nearly_meet_are_singular(self) -> None:
        c_x, c_y = (tensor.detach() for tensor in self.points())
        c_x[2, 1] = c_x[2, 3] + 1e-7
        c_y[3, 0] = float("nan")
        singular = spline.natural_spline(c_x, c_y)[3]
        assert singular.tolist() == [False, False, True, True]

    def test_one_that_disagrees_is_not_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        kernels = cuda._kernels()
        solve = kernels.interpolate_forward

        def steeper(*points: Tensor) -> tuple[Tensor, ...]:
            knots, heights, m, order = solve(*points)
            return knots, heights, 1.01 * m, order

        monkeypatch.setattr(kernels, "interpolate_forward", steeper)
        with pytest.warns(KernelWarning, match="kernel of the natural spline disagrees"):
            assert not cuda.spline_available(*self.points())


class TestModules:
    """A norm, a residual and an activation as a network calls them, by Triton and one by one."""

    @pytest.mark.usefixtures("_by_triton")
    @pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
    @pytest.mark.parametrize(
        ("name", "scope"),
        [("relu", "layer"), ("polyneuron", "channel"), ("polyneuron_r", "layer")],
    )
    def test_are_those_one_by_one(self, name: str, scope: str, training: bool) -> None:
        norm, activation, exact_norm, exact_activation = self.pairs(name, scope, training)
        z, residual, g = torch.randn(3, 4, 3, 5, 6, device=DEVICE)
        leaves = [t.requires_grad_() for t in (z, residual)]
        own = [*leaves, *norm.parameters(), *activation.parameters()]
        y = normalised_activation(norm, activation, *leaves)
        assert "NormaliseAndApply" in type(y.grad_fn).__name__
        exact_leaves = [t.detach().double().requires_grad_() for t in leaves]
        exact_own = [*exact_leaves, *exact_norm.parameters(), *exact_activation.parameters()]
        exact = exact_activation(exact_norm(exact_leaves[0]) + exact_leaves[1])
        found = [y, *torch.autograd.grad(y, own, g), *norm.buffers()]
        expected = [exact, *torch.autograd.grad(exact, exact_own, g.double())]
        for one, other in zip(found, [*expected, *exact_norm.buffers()], strict=True):
            # Cubic tails magnify the rounding of what they receive.
            size = float(other.detach().abs().max())
            torch.testing.assert_close(one.double(), other.double(), rtol=0, atol=4e-5 * size)

    @pytest.mark.usefixtures("_by_triton")
    @pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
    def test_have_second_derivatives(self, training: bool) -> None:
        norm, activation, exact_norm, exact_activation = self.pairs(
            "polyneuron_r", "layer", training
        )
        z = torch.randn(4, 3, 3, 3, device=DEVICE, requires_grad=True)
        exact_z = z.detach().double().requires_grad_()
        found = self.second(normalised_activation(norm, activation, z), z)
        expected = self.second(exact_activation(exact_norm(exact_z)), exact_z)
        size = float(expected.abs().max())
        torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-4 * size)

    def pairs(self, name: str, scope: str, training: bool) -> list[nn.Module]:
        norm = nn.BatchNorm2d(3).train(training)
        activation = make_activation(name, channels=3, scope=scope)
        with torch.no_grad():
            for row in (norm.weight, norm.bias, norm.running_mean):
                row.normal_()
        pair = [module.to(DEVICE) for module in (norm, activation)]
        return [*pair, *(copy.deepcopy(module).double() for module in pair)]

    def second(self, y: Tensor, z: Tensor) -> Tensor:
        (first,) = torch.autograd.grad(y.square().sum(), z, create_graph=True)
        (found,) = torch.autograd.grad(first.square().sum(), z)
        return found
