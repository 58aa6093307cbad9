"""The Triton kernels of batch norm, residual and function in one, against torch in float64."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

pytest.importorskip("triton")
from gpu_cases import (
    DEVICE,
    HALF,
    SINGLE,
    assert_close,
    equal_bits,
    exact,
    on_the_device,
    parameters_of,
)

from polyneuron.kernels.apl.formula import APL
from polyneuron.kernels.backend import BatchNorm, Normalised
from polyneuron.kernels.function import Function
from polyneuron.kernels.gpu.norm import norm_backward, norm_forward
from polyneuron.kernels.hermite.formula import HERMITE
from polyneuron.kernels.radial.formula import radial
from polyneuron.kernels.relu.formula import RELU
from polyneuron.kernels.swish.formula import SWISH

pytestmark = on_the_device

NORMS = [
    # function, rows of its parameters, s
    (radial(3), 1, 3),
    (radial(2), 3, 3),
    (HERMITE, 3, 5),
    (SWISH, 1, 1),
    (APL, 3, 2),
    (RELU, 0, 0),
]


def relu_of(
    z: Tensor, weight: Tensor, bias: Tensor, eps: float = 0.0, training: bool = True
) -> Normalised:
    """ReLU behind a batch norm without running statistics."""
    return Normalised(RELU, z, None, BatchNorm(weight, bias, None, 0.1, eps, training), ())


class Norm:
    """Batch norm + residual + function, by the kernels and by torch in float64."""

    def __init__(self, z: Tensor, residual: bool, function: Function, rows: int, s: int) -> None:
        C = z.shape[1]
        self.function, self.z = function, z
        self.g = torch.randn(z.shape).to(DEVICE, z.dtype)
        self.residual = torch.randn(z.shape).to(DEVICE, z.dtype) if residual else None
        self.weight, self.bias, self.mean = torch.randn(3, C, device=DEVICE)
        self.var = torch.rand(C, device=DEVICE) + 0.5
        self.parameters = parameters_of(function, rows, s) if rows else ()

    def fast(self, training: bool) -> list[Tensor]:
        running = self.mean.clone(), self.var.clone()
        norm = BatchNorm(self.weight, self.bias, running, 0.1, 1e-5, training)
        of = Normalised(self.function, self.z, self.residual, norm, self.parameters)
        y, statistics, _ = norm_forward(of)
        back = norm_backward(of, self.g, statistics)
        return [t for t in (y, *back, *running) if t is not None]

    def exact(self, training: bool) -> list[Tensor]:
        running = self.mean.double(), self.var.double()

        def value(z: Tensor, *rest: Tensor) -> Tensor:
            residual, (weight, bias, *parameters) = (
                (None, rest) if self.residual is None else (rest[0], rest[1:])
            )
            u = F.batch_norm(z, *running, weight, bias, training, 0.1, 1e-5)
            return self.function.plain(u if residual is None else u + residual, *parameters)

        residual = () if self.residual is None else (self.residual,)
        rest = (*residual, self.weight, self.bias, *self.parameters)
        found = exact(value, self.g, self.z, rest)
        return [*found, *running]


@pytest.mark.parametrize(
    ("training", "residual", "channels_last", "norm"),
    [
        (*switches, norm)
        for switches, norm in zip(
            itertools.product((True, False), repeat=3), itertools.cycle(NORMS), strict=False
        )
    ],
)
def test_is_the_separate_modules(
    training: bool,
    residual: bool,
    channels_last: bool,
    norm: tuple[Function, int, int],
) -> None:
    z = 2 * torch.randn(5, 3, 4, 3) + torch.tensor([0.0, 3.0, -9.0])[:, None, None]
    if channels_last:
        z = z.to(memory_format=torch.channels_last)
    case = Norm(z.to(DEVICE), residual, *norm)
    found = case.fast(training)
    assert_close(found, case.exact(training), SINGLE)
    for like_z in found[:2]:
        assert like_z.stride() == z.stride()


@pytest.mark.parametrize("shape", [(9, 4), (6, 1, 3, 2), (3, 4, 5), (5, 3, 1)])
def test_shapes(shape: tuple[int, ...]) -> None:
    case = Norm(torch.randn(shape).to(DEVICE), True, radial(3), 1, 3)
    assert_close(case.fast(True), case.exact(True), SINGLE)


def test_half_precision() -> None:
    z = (torch.randn(5, 3, 4, 3) + 2).bfloat16().to(DEVICE)
    z = z.to(memory_format=torch.channels_last)
    case = Norm(z, True, radial(3), 3, 3)
    found, wanted = case.fast(True), case.exact(True)
    # The gradient of z is made from that of u as stored, 8 bits of the largest, less its mean.
    assert_close([found[0], *found[2:]], [wanted[0], *wanted[2:]], HALF)
    size = float(wanted[1].abs().max())
    torch.testing.assert_close(found[1].double(), wanted[1], rtol=HALF, atol=2 * HALF * size)


def test_a_mean_far_from_zero_does_not_cancel() -> None:
    """Differences of raw moments would give a variance that is wrong by 6 %."""
    z = torch.randn(40, 2, 5, device=DEVICE) + 1000
    ones = torch.ones(2, device=DEVICE)
    y, (mean, rstd), _ = norm_forward(relu_of(z, ones, 0 * ones))
    var, exact_mean = torch.var_mean(z.double(), (0, 2), correction=0)
    torch.testing.assert_close(rstd.double(), var.rsqrt(), rtol=1e-5, atol=0)
    # float32's spacing near 1000 is 6.1e-5. Merging the means of parts rounds by half of it, each
    # time: up to two spacings for the four merges on a GPU's path to a mean. y shifts likewise.
    torch.testing.assert_close(mean.double(), exact_mean, rtol=0, atol=1.22e-4)
    u = (z.double() - exact_mean[:, None]) * var.rsqrt()[:, None]
    torch.testing.assert_close(y.double(), u.relu(), rtol=0, atol=2e-4)


def test_an_outlier_in_front_does_not_spoil_the_variance() -> None:
    z = torch.randn(200, 2, device=DEVICE)
    z[0] = 1e4
    ones = torch.ones(2, device=DEVICE)
    _, (_, rstd), _ = norm_forward(relu_of(z, ones, ones))
    var = z.double().var(0, correction=0)
    torch.testing.assert_close(rstd.double(), var.rsqrt(), rtol=1e-5, atol=0)


def test_without_running_statistics_evaluation_uses_the_batch() -> None:
    z = torch.randn(6, 3, 2, device=DEVICE)
    rows = torch.rand(2, 3, device=DEVICE)
    (*first, _), (*second, _) = (
        norm_forward(relu_of(z, *rows, 1e-5, training)) for training in (True, False)
    )
    assert equal_bits(first, second)


def test_equal_inputs_give_equal_bits() -> None:
    case = Norm(torch.randn(9, 3, 7, device=DEVICE), True, radial(3), 1, 3)
    assert equal_bits(case.fast(True), case.fast(True))


def test_an_empty_batch() -> None:
    case = Norm(torch.randn(0, 3, 2, device=DEVICE), True, radial(3), 1, 3)
    y, g_z, g_residual, *rest = case.fast(False)
    assert y.shape == g_z.shape == g_residual.shape == (0, 3, 2)
    assert not any(gradient.any() for gradient in rest[:-2])


def test_nan_reaches_its_channel_alone() -> None:
    case = Norm(torch.randn(6, 3, 2, device=DEVICE), False, HERMITE, 1, 3)
    case.z[1, 2, 0] = float("nan")
    y, g_z, g_weight, g_bias, *_ = case.fast(True)
    for tensor in (y.transpose(0, 1), g_z.transpose(0, 1), g_weight, g_bias):
        assert tensor[2].isnan().all()
        assert not tensor[:2].isnan().any()


def test_parameters_that_do_not_fit() -> None:
    z, row = torch.zeros(2, 3), torch.zeros(3)
    of = relu_of(z, row, row)._replace(function=SWISH, parameters=[torch.zeros(2)])
    with pytest.raises(ValueError, match=r"parameters with 1 or C rows, got \(2, 3\) and"):
        norm_forward(of)
