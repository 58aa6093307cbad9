"""Values and gradients of the learned activations, without autograd.

x is float32, bfloat16 or float16, of any shape with A = 1, (N, C, ...) with A = C, or (N, ...) with
A = the elements of a sample. y and g_x have its dtype and its memory format (those of
`torch.empty_like(x)`); parameters and their gradients are float32, and so is the arithmetic.
"""

import torch
from torch import Tensor

from polyneuron.kernels.gpu.layout import dense, in_order_of
from polyneuron.kernels.gpu.passes import Parametrised, evaluate, finish, parametrised, partial_sums


def radial_forward(
    x: Tensor,
    c_x: Tensor,
    w: Tensor,
    v: Tensor,
    k: int,
    orders: Tensor | None = None,
) -> Tensor:
    """Eq. 1, as `reference.evaluate`.

    Args:
        x: see the module.
        c_x: control points (A, s).
        w: weights (A, s); 0 at the padding of a row with fewer points.
        v: slope and offset (A, 2).
        k: order of U_k, or the highest of the rows' orders.
        orders: each row's own order (A,), an integer tensor; None is k throughout.
    """
    return _forward(x, parametrised("radial", c_x, w, v, k=k, orders=orders))


def radial_backward(
    g: Tensor,
    x: Tensor,
    c_x: Tensor,
    w: Tensor,
    v: Tensor,
    k: int,
    orders: Tensor | None = None,
    present: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, c_x, w and v.

    Args:
        g: gradient of y.
        x: as for `radial_forward`, like all that is not listed here.
        c_x: as above.
        w: as above.
        v: as above.
        k: as above.
        orders: as above.
        present: (A, s), 0 or False at padding, whose weights get no gradient; None is no padding.
    """
    f = parametrised("radial", c_x, w, v, k=k, orders=orders, present=present)
    g_x, g_c, g_w, g_v = _backward(g, x, f)
    return g_x, g_c, g_w, g_v


def hermite_forward(x: Tensor, c_x: Tensor, c_y: Tensor, m: Tensor) -> Tensor:
    """Cubic Hermite spline, as `reference.evaluate_hermite`; c_x (A, s) ascending, s >= 2."""
    return _forward(x, parametrised("hermite", c_x, c_y, m))


def hermite_backward(
    g: Tensor, x: Tensor, c_x: Tensor, c_y: Tensor, m: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, c_x, c_y and m."""
    g_x, g_c, g_y, g_m = _backward(g, x, parametrised("hermite", c_x, c_y, m))
    return g_x, g_c, g_y, g_m


def swish_forward(x: Tensor, beta: Tensor) -> Tensor:
    """Return x sigmoid(beta x), with beta (A,)."""
    return _forward(x, parametrised("swish", beta))


def swish_backward(g: Tensor, x: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of x and beta."""
    g_x, g_beta = _backward(g, x, parametrised("swish", beta))
    return g_x, g_beta


def apl_forward(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return max(0, x) + sum_i a_i max(0, b_i - x), with a and b (A, s)."""
    return _forward(x, parametrised("apl", a, b))


def apl_backward(g: Tensor, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x, a and b."""
    g_x, g_a, g_b = _backward(g, x, parametrised("apl", a, b))
    return g_x, g_a, g_b


def prelu_forward(x: Tensor, a: Tensor) -> Tensor:
    """Return max(0, x) + a min(0, x), with a (A,)."""
    return _forward(x, parametrised("prelu", a))


def prelu_backward(g: Tensor, x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of x and a."""
    g_x, g_a = _backward(g, x, parametrised("prelu", a))
    return g_x, g_a


def srelu_forward(x: Tensor, lines: Tensor) -> Tensor:
    """Return SReLU, as `reference.srelu`, with t_left, a_left, t_right and a_right (A, 4)."""
    return _forward(x, parametrised("srelu", lines))


def srelu_backward(g: Tensor, x: Tensor, lines: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of x and the lines."""
    g_x, g_lines = _backward(g, x, parametrised("srelu", lines))
    return g_x, g_lines


def pade_forward(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return the Padé unit, as `reference.pade`, with a (A, s) and b (A, s - 2)."""
    return _forward(x, parametrised("pade", a, b))


def pade_backward(g: Tensor, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x, a and b."""
    g_x, g_a, g_b = _backward(g, x, parametrised("pade", a, b))
    return g_x, g_a, g_b


def blending_forward(x: Tensor, w: Tensor) -> Tensor:
    """Return the weighted sum of `reference.blending`, with w (A, 5)."""
    return _forward(x, parametrised("blending", w))


def blending_backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of x and w."""
    g_x, g_w = _backward(g, x, parametrised("blending", w))
    return g_x, g_w


def ensemble_forward(x: Tensor, w: Tensor) -> Tensor:
    """Return the weighted sum of `reference.ensemble`, with w (A, 4)."""
    return _forward(x, parametrised("ensemble", w))


def ensemble_backward(g: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of x and w."""
    g_x, g_w = _backward(g, x, parametrised("ensemble", w))
    return g_x, g_w


def _forward(x: Tensor, f: Parametrised) -> Tensor:
    packed, layout = dense(x, f.parameters[0].shape[0])
    return in_order_of(x, evaluate(f, packed, layout))


def _backward(g: Tensor, x: Tensor, f: Parametrised) -> tuple[Tensor, ...]:
    packed, layout = dense(x, f.parameters[0].shape[0])
    g_x = torch.empty_like(packed)
    if not x.numel():
        return g_x, *(torch.zeros_like(parameter) for parameter in f.parameters)
    partials, _ = partial_sums(f, g, packed, layout, g_x)
    return in_order_of(x, g_x), *finish(f, partials)
