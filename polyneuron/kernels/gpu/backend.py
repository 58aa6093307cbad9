"""The backend of Triton kernels, for tensors on a GPU.

x is float32, bfloat16 or float16, of any shape with A = 1, (N, C, ...) with A = C, or (N, ...) with
A = the elements of a sample. Parameters and their gradients are float32, and so is the arithmetic.
"""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from polyneuron.kernels.backend import Case
from polyneuron.kernels.function import Function
from polyneuron.kernels.gpu.layout import DTYPES, dense, in_order_of
from polyneuron.kernels.gpu.norm import norm_backward as norm_backward
from polyneuron.kernels.gpu.norm import norm_forward as norm_forward
from polyneuron.kernels.gpu.norm import norm_variance as norm_variance
from polyneuron.kernels.gpu.passes import finish, function_values, parametrised, partial_sums
from polyneuron.kernels.gpu.verification import is_sound
from polyneuron.kernels.natural.solving import solve as solve
from polyneuron.kernels.natural.solving import solve_backward as solve_backward


def supports(case: Case) -> bool:
    """See `Backend.supports`: true once the case's kernels have agreed with the plain formulas."""
    # Control points are solved for in their own precision, and half of it is too little.
    dtypes = (torch.float32,) if case.operator == "solve" else DTYPES
    return case.operator != "stage" and case.dtype in dtypes and _verified(case)


@functools.cache
def _verified(case: Case) -> bool:
    from polyneuron.kernels.gpu import backend  # this module, as the argument that it is

    return is_sound(backend, case)


def forward(
    function: Function,
    x: Tensor,
    parameters: Sequence[Tensor],
    orders: Tensor | None = None,
) -> tuple[Tensor, bool]:
    """See `Backend.forward`. A GPU is not waited for: the answer is always that all exist.

    Args:
        function: a radial function has the highest of the rows' orders.
        x: see the module.
        parameters: radial weights are 0 at the padding of a row with fewer points.
        orders: each row's own order (A,), an integer tensor; None is the function's throughout.
    """
    f = parametrised(function, parameters, orders)
    packed, layout = dense(x, f.parameters[0].shape[0])
    return in_order_of(x, function_values(f, packed, layout)), True


def backward(
    function: Function,
    g: Tensor,
    x: Tensor,
    parameters: Sequence[Tensor],
    orders: Tensor | None = None,
    present: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """See `Backend.backward`.

    Args:
        function: as for `forward`, like all that is not listed here.
        g: gradient of y.
        x: as above.
        parameters: as above.
        orders: as above.
        present: (A, s), 0 or False at padding, whose weights get no gradient; None is no padding.
    """
    f = parametrised(function, parameters, orders, present)
    packed, layout = dense(x, f.parameters[0].shape[0])
    g_x = torch.empty_like(packed)
    if not x.numel():
        return g_x, [torch.zeros_like(p, dtype=torch.float32) for p in parameters]
    partials, _ = partial_sums(f, g, packed, layout, g_x)
    return in_order_of(x, g_x), list(finish(f, partials))
