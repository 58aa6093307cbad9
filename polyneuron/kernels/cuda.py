"""The Triton kernels behind the operators: which there are, and whether this GPU agrees with them.

A kernel is used after it has agreed with the plain formula on a small tensor, once a process: a GPU
or a version of Triton on which it does not compile, or computes something else, costs a warning and
the kernel's speed, never a result.
"""

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from polyneuron.kernels.compiler import warn_of_plain_formulas
from polyneuron.kernels.functions import NATURAL, Function

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def available(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> bool:
    """Whether a Triton kernel computes this function of x on its GPU."""
    if x.device.type != "cuda" or x.dtype not in DTYPES or not parameters:
        return False
    return _verified(function, parameters[0].shape[-1], x.dtype, x.device)


def forward(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Values in x's shape, dtype and memory format; NaN of functions that do not exist."""
    gpu = _kernels()
    if function is NATURAL:
        knots, heights, m, _ = gpu.interpolate_forward(*parameters)
        return gpu.hermite_forward(x, knots, heights, m)
    kernel, order = _kernel(gpu, function, "forward")
    return kernel(x, *parameters, *order)


def backward(
    function: Function, g: Tensor, x: Tensor, parameters: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """dL/dx and the parameters' gradients, from g = dL/dy."""
    gpu = _kernels()
    if function is NATURAL:
        knots, heights, m, order_of_points = gpu.interpolate_forward(*parameters)
        g_x, *g_spline = gpu.hermite_backward(g, x, knots, heights, m)
        points = gpu.interpolate_backward(*g_spline, knots, heights, m, order_of_points)
        return g_x, list(points)
    kernel, order = _kernel(gpu, function, "backward")
    g_x, *gradients = kernel(g, x, *parameters, *order)
    return g_x, gradients


def _kernels() -> Any:
    # Triton is imported where a GPU asks for it, and is not installed everywhere.
    from polyneuron.kernels import gpu

    return gpu


def _kernel(gpu: Any, function: Function, way: str) -> tuple[Callable[..., Any], tuple[int, ...]]:
    order = (function.order,) if function.order else ()
    return getattr(gpu, f"{function.family}_{way}"), order


@functools.cache
def _verified(function: Function, columns: int, dtype: torch.dtype, device: torch.device) -> bool:
    if importlib.util.find_spec("triton") is None:
        warn_of_plain_formulas("Triton is not installed")
        return False
    try:
        sound = agrees(function, columns, dtype, device)
    # Triton and its drivers raise errors of their own at compiling and launching.
    except Exception as error:
        lines = str(error).strip().splitlines()
        warn_of_plain_formulas(f"Triton: {lines[0] if lines else type(error).__name__}")
        return False
    if not sound:
        warn_of_plain_formulas(f"the Triton kernel of {function.name} disagrees with its formula")
    return sound


def agrees(function: Function, columns: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether kernel and formula give the same values and gradients of one small tensor."""
    x = torch.linspace(-2.0, 2.0, 129, device=device).to(dtype)
    parameters = [parameter.to(device) for parameter in function.example(columns)]
    inputs = [tensor.detach().requires_grad_() for tensor in (x.float(), *parameters)]
    with torch.enable_grad():
        exact = function.plain(*inputs)
    expected = [exact.detach(), *torch.autograd.grad(exact, inputs, torch.ones_like(exact))]
    g_x, gradients = backward(function, torch.ones_like(x), x, parameters)
    found = [forward(function, x, parameters), g_x, *gradients]
    tolerance = 1e-3 if dtype == torch.float32 else 2e-2
    return all(
        float((one.float() - other).abs().max()) <= tolerance * (1 + float(other.abs().max()))
        for one, other in zip(found, expected, strict=True)
    )
