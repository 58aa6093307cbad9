"""The Triton kernels behind the operators: which there are, and whether this GPU agrees with them.

A kernel is used after it has agreed with the plain formula on a small tensor, once a process: a GPU
or a version of Triton on which it does not compile, or computes something else, costs a warning and
the kernel's speed, never a result.
"""

import functools
import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.kernels.compiler import warn_of_plain_formulas
from polyneuron.kernels.cpu import BatchNorm
from polyneuron.kernels.functions import HERMITE, NATURAL, Function
from polyneuron.natural_spline import natural_spline

DEVICES = ("cuda",)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def available(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> bool:
    """Whether a Triton kernel computes this function of x on its GPU."""
    if x.device.type not in DEVICES or x.dtype not in DTYPES or not parameters:
        return False
    return _verified(function, parameters[0].shape[-1], x.dtype, x.device)


def norm_available(
    function: Function,
    z: Tensor,
    residual: Tensor | None,
    parameters: Sequence[Tensor],
    training: bool,
) -> bool:
    """As `available`, for the function behind a batch norm of z (N, C, H, W) and a residual."""
    if z.device.type not in DEVICES or z.dtype not in DTYPES:
        return False
    case = NormCase(
        columns=parameters[0].shape[-1] if parameters else 0,
        shared=bool(parameters) and parameters[0].shape[0] == 1,
        channels_last=z.is_contiguous(memory_format=torch.channels_last),
        residual=residual is not None,
        training=training,
        dtype=z.dtype,
        device=z.device,
    )
    return _norm_verified(function, case)


def forward(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Values in x's shape, dtype and memory format; NaN of functions that do not exist."""
    gpu = _kernels()
    y: Tensor = gpu.forward(x, *_form(gpu, function, parameters).arguments)
    return y


def backward(
    function: Function, g: Tensor, x: Tensor, parameters: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """dL/dx and the parameters' gradients, from g = dL/dy."""
    gpu = _kernels()
    form = _form(gpu, function, parameters)
    g_x, *gradients = gpu.backward(g, x, *form.arguments)
    return g_x, list(form.pull(*gradients))


def norm_forward(
    function: Function,
    z: Tensor,
    residual: Tensor | None,
    norm: BatchNorm,
    parameters: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """Values behind a batch norm, and the mean and 1 / standard deviation (2, C) that it used.

    In training the running statistics take in the batch's.
    """
    gpu = _kernels()
    running = norm.running_mean, norm.running_variance
    front = z, residual, norm.weight, norm.bias
    form = _form(gpu, function, parameters).arguments
    constants = norm.eps, norm.momentum, norm.training
    found: tuple[Tensor, Tensor] = gpu.norm_forward(*front, *running, *constants, *form)
    return found


def norm_backward(
    function: Function,
    g: Tensor,
    z: Tensor,
    residual: Tensor | None,
    norm: BatchNorm,
    statistics: Tensor,
    parameters: Sequence[Tensor],
) -> tuple[Tensor | None, ...]:
    """Gradients of z, residual, weight, bias and the parameters, from g = dL/dy."""
    gpu = _kernels()
    front = z, residual, norm.weight, norm.bias
    form = _form(gpu, function, parameters)
    *gradients, by_form = gpu.norm_backward(g, *front, statistics, norm.training, *form.arguments)
    return *gradients, *form.pull(*by_form)


def spline_available(c_x: Tensor, c_y: Tensor) -> bool:
    """Whether Triton kernels solve for the natural splines through control points (A, s)."""
    if c_x.device.type not in DEVICES or {c_x.dtype, c_y.dtype} != {torch.float32}:
        return False
    return _spline_verified(c_x.shape[1], c_x.device)


def spline_forward(c_x: Tensor, c_y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Knots, heights and slopes (A, s), not a number where points coincide, and an order."""
    solved: tuple[Tensor, Tensor, Tensor, Tensor] = _kernels().interpolate_forward(c_x, c_y)
    return solved


def spline_backward(*tensors: Tensor) -> tuple[Tensor, Tensor]:
    """dL/dc_x and dL/dc_y from the gradients of the three, and all that `spline_forward` gave."""
    points: tuple[Tensor, Tensor] = _kernels().interpolate_backward(*tensors)
    return points


def _kernels() -> Any:
    # Triton is imported where a GPU asks for it, and is not installed everywhere.
    from polyneuron.kernels import gpu

    return gpu


class _Form(NamedTuple):
    """A function as kernels/gpu has it."""

    arguments: tuple[str, Sequence[Tensor], int]
    """The last arguments of its kernels: family, parameters and order."""
    pull: Callable[..., Sequence[Tensor]]
    """From the gradients of these parameters to those of the function's own."""


def _form(gpu: Any, function: Function, parameters: Sequence[Tensor]) -> _Form:
    if function is not NATURAL:
        return _Form((function.family, parameters, function.order), lambda *gradients: gradients)
    *spline, points = gpu.interpolate_forward(*parameters)

    def pull(*gradients: Tensor) -> Sequence[Tensor]:
        by_points: Sequence[Tensor] = gpu.interpolate_backward(*gradients, *spline, points)
        return by_points

    return _Form((HERMITE.family, spline, 0), pull)


@functools.cache
def _verified(function: Function, columns: int, dtype: torch.dtype, device: torch.device) -> bool:
    return _sound(function.name, device, lambda: agrees(function, columns, dtype, device))


@functools.cache
def _norm_verified(function: Function, case: "NormCase") -> bool:
    name = f"batch norm and {function.name}"
    return _sound(name, case.device, lambda: norm_agrees(function, case))


@functools.cache
def _spline_verified(s: int, device: torch.device) -> bool:
    return _sound("the natural spline", device, lambda: spline_agrees(s, device))


def _sound(name: str, device: torch.device, agreement: Callable[[], bool]) -> bool:
    if importlib.util.find_spec("triton") is None:
        warn_of_plain_formulas("Triton is not installed")
        return False
    plainly = torch.autocast(device.type, enabled=False)
    try:
        # A first use may well be an evaluation, whose tensors have no gradients.
        with torch.inference_mode(False), torch.enable_grad(), plainly:
            sound = agreement()
    # Triton and its drivers raise errors of their own at compiling and launching.
    except Exception as error:
        lines = str(error).strip().splitlines()
        warn_of_plain_formulas(f"Triton: {lines[0] if lines else type(error).__name__}")
        return False
    if not sound:
        warn_of_plain_formulas(f"the Triton kernel of {name} disagrees with its formula")
    return sound


def agrees(function: Function, columns: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether kernel and formula give the same values and gradients of one small tensor."""
    x = torch.linspace(-2.0, 2.0, 129, device=device).to(dtype)
    parameters = [parameter.to(device) for parameter in function.example(columns)]
    inputs = [tensor.detach().requires_grad_() for tensor in (x.float(), *parameters)]
    exact = function.plain(*inputs)
    expected = [exact.detach(), *torch.autograd.grad(exact, inputs, torch.ones_like(exact))]
    with torch.no_grad():
        g_x, gradients = backward(function, torch.ones_like(x), x, parameters)
        found = [forward(function, x, parameters), g_x, *gradients]
    return _close(found, expected, dtype)


@dataclass(frozen=True)
class NormCase:
    """What decides, beside the function, which kernels a batch norm before it takes."""

    columns: int
    """Of the function's first parameter."""
    shared: bool
    """Whether all channels share a function."""
    channels_last: bool
    residual: bool
    training: bool
    dtype: torch.dtype
    device: torch.device


def norm_agrees(function: Function, case: NormCase) -> bool:
    """As `agrees`, for the function behind a batch norm, running statistics included."""
    shape = (4, 3, 12, 13)  # sums of several programs a channel, the last of them not full
    order = torch.channels_last if case.channels_last else torch.contiguous_format
    n = torch.arange(math.prod(shape), device=case.device)
    waves = [torch.sin(step * n).reshape(shape) for step in (1.7, 0.9, 0.4)]
    z, added, g = (wave.to(case.dtype).to(memory_format=order) for wave in waves)
    rows = torch.linspace(0.5, 1.5, 3, device=case.device)
    norm = BatchNorm(rows, rows - 1, rows / 4, rows.clone(), 0.1, 1e-5, case.training)
    running = norm.running_mean.clone(), norm.running_variance.clone()
    parameters = [
        parameter.to(case.device).repeat(1 if case.shared else 3, *[1] * (parameter.ndim - 1))
        for parameter in function.example(case.columns)
    ]
    residual = added if case.residual else None
    both = (z, added) if case.residual else (z,)
    tensors = (norm.weight, norm.bias, *(tensor.float() for tensor in both), *parameters)
    leaves = [tensor.detach().requires_grad_() for tensor in tensors]
    weight, bias, *values = leaves
    u = F.batch_norm(values[0], *running, weight, bias, case.training, norm.momentum, norm.eps)
    exact = function.plain(u + values[1] if case.residual else u, *values[len(both) :])
    by_weight, by_bias, *by_values = torch.autograd.grad(exact, leaves, g.float())
    by_both, by_parameters = by_values[: len(both)], by_values[len(both) :]
    expected = [exact.detach(), *by_both, by_weight, by_bias, *by_parameters, *running]
    with torch.no_grad():
        y, statistics = norm_forward(function, z, residual, norm, parameters)
        gradients = norm_backward(function, g, z, residual, norm, statistics, parameters)
    found = [y, *gradients, norm.running_mean, norm.running_variance]
    return _close([tensor for tensor in found if tensor is not None], expected, case.dtype)


def spline_agrees(s: int, device: torch.device) -> bool:
    """As `agrees`, for the natural splines through s control points, of two functions."""
    ascending, heights = (row.to(device) for row in NATURAL.example(s))
    c_x, c_y = (torch.cat([row, row.flip(1)]).requires_grad_() for row in (ascending, heights))
    exact = natural_spline(c_x, c_y)[:3]
    weights = [torch.sin(n + torch.arange(2 * s, device=device)).view(2, s) for n in range(3)]
    by_points = torch.autograd.grad(exact, (c_x, c_y), weights)
    with torch.no_grad():
        solved = spline_forward(c_x, c_y)
        found = [*solved[:3], *spline_backward(*weights, *solved)]
    return _close(found, [*(one.detach() for one in exact), *by_points], torch.float32)


def _close(found: Sequence[Tensor], expected: Sequence[Tensor], dtype: torch.dtype) -> bool:
    tolerance = 1e-3 if dtype == torch.float32 else 2e-2
    return all(
        float((one.float() - other).abs().max()) <= tolerance * (1 + float(other.abs().max()))
        for one, other in zip(found, expected, strict=True)
    )
