"""Activation functions as torch operators: fast where there are kernels, plain where not.

Only x is saved at full size; the backward pass computes the rest again. In eager mode an autograd
Function calls the kernels directly. Tracers (torch.compile, fake and meta tensors) see the custom
operators `polyneuron::activate` and `polyneuron::activate_backward`, which cost more a call;
torch.func transforms the plain formula.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from polyneuron.jit import is_exporting
from polyneuron.kernels.backend import Backend, Case
from polyneuron.kernels.choice import backend_for
from polyneuron.kernels.function import Function
from polyneuron.kernels.functions import named
from polyneuron.kernels.plain import gradients, wide_dtype, widened
from polyneuron.kernels.tracing import is_eager, is_transformed


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
    if not parameters:  # ReLU: torch's own, than which no kernel of ours is faster
        y: Tensor = function.plain(x)
        return y
    wide = wide_dtype(x)
    # The usual case, nothing to convert, is hot: `is`, as each dtype is one object.
    if any(parameter.dtype is not wide for parameter in parameters):
        parameters = [parameter.to(wide) for parameter in parameters]
    if is_eager(x):
        y = _Activate.apply(function, x, *parameters)
        return y
    if is_transformed() or is_exporting():
        return widened(function)(x, *parameters)
    traced: Tensor = torch.ops.polyneuron.activate(x, list(parameters), function.name)
    return traced


class _Activate(torch.autograd.Function):
    # `forward` with its context costs 50 us less a call than one with a separate setup_context.
    @staticmethod
    def forward(ctx, function, x, *parameters):  # type: ignore[no-untyped-def]
        ctx.function = function
        ctx.backend = backend = _backend(function, x, parameters)
        ctx.save_for_backward(x, *parameters)
        y, sound = backend.forward(function, x, parameters)
        # Of a function that does not exist the plain formula raises an error that names it.
        return y if sound else widened(function)(x, *parameters)

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        if torch.is_grad_enabled():
            return None, *gradients(widened(ctx.function), ctx.saved_tensors, g)
        x, *parameters = ctx.saved_tensors
        g_x, by_parameters = ctx.backend.backward(ctx.function, g, x, parameters)
        return None, g_x, *by_parameters


def _backend(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> Backend:
    columns = parameters[0].shape[-1]
    return backend_for(Case("pointwise", function, columns, x.dtype, x.device))


@torch.library.custom_op("polyneuron::activate", mutates_args=())
def _activate(x: Tensor, parameters: list[Tensor], function: str) -> Tensor:
    of = named(function)
    return _backend(of, x, parameters).forward(of, x, parameters)[0]


@torch.library.custom_op("polyneuron::activate_backward", mutates_args=())
def _activate_backward(
    g: Tensor, x: Tensor, parameters: list[Tensor], function: str
) -> tuple[Tensor, list[Tensor]]:
    of = named(function)
    return _backend(of, x, parameters).backward(of, g, x, parameters)


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
    g_x, by_parameters = torch.ops.polyneuron.activate_backward(g, x, parameters, ctx.function)
    return g_x, by_parameters, None


_activate.register_autograd(_pull, setup_context=_save)
