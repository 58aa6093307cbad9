"""Activation functions as torch operators: fast where there are kernels, plain where not.

Only x is saved at full size; the backward pass computes the rest again. In eager mode an autograd
Function calls the kernels directly. Tracers (torch.compile, fake and meta tensors) see the custom
operators `polyneuron::activate` and `polyneuron::activate_backward`, which cost more a call;
torch.func transforms the plain formula.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from polyneuron.kernels import cpu, cuda, reference
from polyneuron.kernels.functions import Function, named


def apply(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Values of A activation functions at x.

    Half precision computes in float32; elsewhere the parameters are taken in x's dtype.

    Args:
        function: what to compute.
        x: any shape with A = 1; (N, C, ...) with A = C or A = the elements of a sample.
        parameters: of the function, each (A, ...).

    Returns:
        y in x's shape and dtype.
    """
    if not parameters:  # torch's own function, which no kernel of ours could better
        y: Tensor = function.plain(x)
        return y
    wide = wide_dtype(x)
    if any(parameter.dtype is not wide for parameter in parameters):
        parameters = [parameter.to(wide) for parameter in parameters]
    if is_eager(x):
        y = _Activate.apply(function, x, *parameters)
        return y
    if is_transformed():
        return widened(function)(x, *parameters)
    traced: Tensor = torch.ops.polyneuron.activate(x, list(parameters), function.name)
    return traced


def wide_dtype(x: Tensor) -> torch.dtype:
    """The dtype in which functions of x are computed."""
    return torch.float64 if x.dtype is torch.float64 else torch.float32


def is_transformed() -> bool:
    """Whether torch.func is at work, which autograd Functions and custom operators do not join."""
    return torch._C._are_functorch_transforms_active()


def is_eager(x: Tensor) -> bool:
    """Whether x holds data, and nobody traces what is done with it."""
    return (
        type(x) in (Tensor, torch.nn.Parameter)
        and x.device.type != "meta"
        and not torch.compiler.is_compiling()
        and not is_transformed()
    )


class _Activate(torch.autograd.Function):
    # `forward` with its context costs 50 us less a call than one with a separate setup_context.
    @staticmethod
    def forward(ctx, function, x, *parameters):  # type: ignore[no-untyped-def]
        ctx.function = function
        ctx.save_for_backward(x, *parameters)
        y, sound = _forward(function, x, parameters)
        # The plain formula says which function there is none of, and why.
        return y if sound else widened(function)(x, *parameters)

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        if torch.is_grad_enabled():
            plain = widened(ctx.function)
            return None, *reference.gradients(plain, ctx.saved_tensors, g)
        x, *parameters = ctx.saved_tensors
        g_x, gradients = _backward(ctx.function, g, x, parameters)
        return None, g_x, *gradients


def _forward(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, bool]:
    kernels = cpu.kernels(function, x, parameters)
    if kernels is not None:
        return cpu.forward(kernels, x, parameters, parameters[0].shape[0])
    if cuda.available(function, x, parameters):
        return cuda.forward(function, x, parameters), True
    return widened(function)(x, *parameters), True


def _backward(
    function: Function, g: Tensor, x: Tensor, parameters: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    kernels = cpu.kernels(function, x, parameters)
    if kernels is not None:
        return cpu.backward(kernels, g, x, parameters, parameters[0].shape[0])
    if cuda.available(function, x, parameters):
        return cuda.backward(function, g, x, parameters)
    inputs = [tensor.detach().requires_grad_() for tensor in (x, *parameters)]
    with torch.enable_grad():
        y = widened(function)(*inputs)
    g_x, *gradients = torch.autograd.grad(y, inputs, g)
    return g_x, gradients


def widened(function: Function) -> Callable[..., Tensor]:
    """The plain formula of (x, *parameters), computed in float32 where x is in half precision."""

    def plain(x: Tensor, *parameters: Tensor) -> Tensor:
        return function.plain(x.to(wide_dtype(x)), *parameters).to(x.dtype)

    return plain


@torch.library.custom_op("polyneuron::activate", mutates_args=())
def _activate(x: Tensor, parameters: list[Tensor], function: str) -> Tensor:
    return _forward(named(function), x, parameters)[0]


@torch.library.custom_op("polyneuron::activate_backward", mutates_args=())
def _activate_backward(
    g: Tensor, x: Tensor, parameters: list[Tensor], function: str
) -> tuple[Tensor, list[Tensor]]:
    return _backward(named(function), g, x, parameters)


@_activate.register_fake
def _(x: Tensor, parameters: list[Tensor], function: str) -> Tensor:
    return torch.empty_like(x)


@_activate_backward.register_fake
def _(g: Tensor, x: Tensor, parameters: list[Tensor], function: str) -> tuple[Tensor, list[Tensor]]:
    return torch.empty_like(x), [torch.empty_like(parameter) for parameter in parameters]


def _save(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    x, parameters, ctx.function = inputs
    ctx.save_for_backward(x, *parameters)


def _pull(ctx, g):  # type: ignore[no-untyped-def]
    x, *parameters = ctx.saved_tensors
    g_x, gradients = torch.ops.polyneuron.activate_backward(g, x, parameters, ctx.function)
    return g_x, gradients, None


_activate.register_autograd(_pull, setup_context=_save)
