"""Values and gradients of the learned activations, without autograd.

x is float32, bfloat16 or float16, of any shape with A = 1, (N, C, ...) with A = C, or (N, ...) with
A = the elements of a sample. y and g_x have its dtype and its memory format (those of
`torch.empty_like(x)`); parameters and their gradients are float32, and so is the arithmetic.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from polyneuron.kernels.gpu.layout import dense, in_order_of
from polyneuron.kernels.gpu.passes import evaluate, finish, parametrised, partial_sums


def forward(
    x: Tensor,
    family: str,
    parameters: Sequence[Tensor],
    k: int = 0,
    orders: Tensor | None = None,
) -> Tensor:
    """Values of functions of one family, as `polyneuron.kernels.reference` has them.

    Args:
        x: see the module.
        family: a key of `functions.FUNCTIONS`.
        parameters: of the family's functions, (A, ...) each; radial weights are 0 at the padding of
            a row with fewer points.
        k: order of U_k for radial functions, or the highest of the rows' orders.
        orders: each row's own order (A,), an integer tensor; None is k throughout.
    """
    f = parametrised(family, *parameters, k=k, orders=orders)
    packed, layout = dense(x, f.parameters[0].shape[0])
    return in_order_of(x, evaluate(f, packed, layout))


def backward(
    g: Tensor,
    x: Tensor,
    family: str,
    parameters: Sequence[Tensor],
    k: int = 0,
    orders: Tensor | None = None,
    present: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Gradients of x and of the parameters.

    Args:
        g: gradient of y.
        x: as for `forward`, like all that is not listed here.
        family: as above.
        parameters: as above.
        k: as above.
        orders: as above.
        present: (A, s), 0 or False at padding, whose weights get no gradient; None is no padding.
    """
    f = parametrised(family, *parameters, k=k, orders=orders, present=present)
    packed, layout = dense(x, f.parameters[0].shape[0])
    g_x = torch.empty_like(packed)
    if not x.numel():
        return g_x, *(torch.zeros_like(parameter) for parameter in f.parameters)
    partials, _ = partial_sums(f, g, packed, layout, g_x)
    return in_order_of(x, g_x), *finish(f, partials)
