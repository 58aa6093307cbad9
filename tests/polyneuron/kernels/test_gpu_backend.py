"""The way from an operator to a Triton kernel, walked on the CPU, where Triton is interpreted."""

import copy
import dataclasses
import itertools
import sys

import pytest
import torch
from torch import Tensor, nn

from polyneuron import make_activation, normalised_activation
from polyneuron.kernels import choice, plain, spline
from polyneuron.kernels.backend import (
    Backend,
    Case,
    KernelWarning,
    Normalised,
    Splines,
    warn_of_plain_formulas,
)
from polyneuron.kernels.function import Function
from polyneuron.kernels.functions import FUNCTIONS
from polyneuron.kernels.natural.formula import NATURAL
from polyneuron.kernels.radial.formula import radial
from polyneuron.kernels.relu.formula import RELU
from polyneuron.kernels.swish.formula import SWISH
from polyneuron.natural_spline import natural_spline

pytest.importorskip("triton")
from polyneuron.kernels.gpu import backend as gpu

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
COLUMNS = {"hermite": 4, "natural": 5, "apl": 2, "pade": 6}
LEARNED = [
    *(radial(2), radial(3)),
    *(function for family, function in FUNCTIONS.items() if family not in ("radial", "relu")),
]


def example_case(function: Function, **given: object) -> Case:
    """The case of the function's example."""
    example = function.example(COLUMNS.get(function.family, 3))
    columns = example[0].shape[-1] if example else 0
    case = Case("pointwise", function, columns, torch.float32, DEVICE)
    return case._replace(**given)  # type: ignore[arg-type]


def norm_case(function: Function, **given: object) -> Case:
    """As `example_case`, behind a batch norm."""
    switches = {"shared": True, "channels_last": True, "residual": True, "training": True}
    return example_case(function, **{"operator": "norm", **switches, **given})


@pytest.fixture(autouse=True)
def _forget() -> None:
    gpu._verified.cache_clear()
    warn_of_plain_formulas.cache_clear()


@pytest.fixture
def _by_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send tensors on the CPU the way that those on a GPU go, where there is none."""

    def backends(device: str) -> tuple[Backend, ...]:
        return (gpu, plain) if device == DEVICE.type else (plain,)

    monkeypatch.setattr(choice, "backends", backends)


@pytest.mark.parametrize("function", LEARNED, ids=lambda f: f.name)
def test_a_kernel_agrees_with_its_formula(function: Function) -> None:
    assert gpu.supports(example_case(function))


def test_a_first_use_in_an_evaluation_finds_the_same() -> None:
    with torch.inference_mode():
        assert gpu.supports(example_case(SWISH))
        assert gpu.supports(norm_case(radial(3)))


@pytest.mark.parametrize(
    ("function", "training", "residual", "channels_last"),
    [
        (function, *switches)
        for function, switches in zip(
            [*LEARNED, RELU], itertools.cycle(itertools.product((True, False), repeat=3))
        )
    ],
    ids=lambda value: value.name if isinstance(value, Function) else str(value),
)
def test_a_kernel_behind_a_norm_agrees_with_its_formula(
    function: Function, training: bool, residual: bool, channels_last: bool
) -> None:
    switches = {"training": training, "residual": residual, "channels_last": channels_last}
    for dtype in (torch.float32, torch.bfloat16):
        assert gpu.supports(norm_case(function, shared=residual, dtype=dtype, **switches))


def test_one_that_disagrees_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    forward, norm_forward = gpu.forward, gpu.norm_forward

    def shifted(*arguments: object) -> tuple[Tensor, bool]:
        y, sound = forward(*arguments)  # type: ignore[arg-type]
        return y + 0.1, sound

    monkeypatch.setattr(gpu, "forward", shifted)
    with pytest.warns(KernelWarning, match="Triton kernel of swish disagrees with its formula"):
        assert not gpu.supports(example_case(SWISH))

    def without_momentum(of: Normalised) -> tuple[Tensor, Tensor, bool]:
        return norm_forward(of._replace(norm=dataclasses.replace(of.norm, momentum=0.0)))

    monkeypatch.setattr(gpu, "norm_forward", without_momentum)
    with pytest.warns(KernelWarning, match="kernel of batch norm and relu disagrees with its"):
        assert not gpu.supports(norm_case(RELU))


def test_one_that_does_not_compile_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("PTX codegen error\nand much more")

    monkeypatch.setattr(gpu, "forward", broken)
    with pytest.warns(KernelWarning, match="several times slower: Triton: PTX codegen error$"):
        assert not gpu.supports(example_case(SWISH))


def test_the_cpu_and_doubles_have_no_triton_kernel() -> None:
    for case in (example_case(SWISH), norm_case(SWISH)):
        assert choice.backend_for(case._replace(device=torch.device("cpu"))) is not gpu
        assert not gpu.supports(case._replace(dtype=torch.float64))


def test_without_triton_the_formulas_run_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polyneuron.kernels.gpu", None)
    choice.backends.cache_clear()
    with pytest.warns(KernelWarning, match="several times slower: Triton cannot be imported"):
        assert choice.backends("cuda") == (plain,)
    choice.backends.cache_clear()


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
        solve = gpu.solve

        def steeper(c_x: Tensor, c_y: Tensor) -> Splines:
            splines = solve(c_x, c_y)
            return splines._replace(m=1.01 * splines.m)

        monkeypatch.setattr(gpu, "solve", steeper)
        with pytest.warns(KernelWarning, match="kernel of the natural spline disagrees"):
            assert not gpu.supports(example_case(NATURAL, operator="solve"))


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
