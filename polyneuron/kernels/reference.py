"""Formulas as they are printed, differentiable by autograd: what fast kernels are tested on."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.basis import basis
from polyneuron.scope import spread


def evaluate(x: Tensor, c_x: Tensor, w: Tensor, v: Tensor, k: int) -> Tensor:
    """Eq. 1: y = sum_i w_i U_k(|x - c_i|) + v_0 x + v_1.

    Args:
        x: any shape with A = 1; (N, C, ...) with A = C or A = the elements of a sample.
        c_x: control points (A, s).
        w: weights (A, s).
        v: slope and offset (A, 2).
        k: order of U_k.
    """
    y = spread(v[:, 0], x) * x + spread(v[:, 1], x)
    for c_i, w_i in zip(c_x.unbind(1), w.unbind(1), strict=True):
        y = y + spread(w_i, x) * basis(torch.abs(x - spread(c_i, x)), k)
    return y


def evaluate_hermite(x: Tensor, c_x: Tensor, c_y: Tensor, m: Tensor) -> Tensor:
    """Value at x of the cubic Hermite spline with straight tails.

    Args:
        x: any shape with A = 1; (N, C, ...) with A = C or A = the elements of a sample.
        c_x: knots (A, s), ascending.
        c_y: values at the knots (A, s).
        m: slopes at the knots (A, s).
    """
    h = c_x.diff(dim=1)
    secant = c_y.diff(dim=1) / h
    b2 = (3 * secant - 2 * m[:, :-1] - m[:, 1:]) / h
    b3 = (m[:, :-1] + m[:, 1:] - 2 * secant) / h.square()
    y = spread(c_y[:, 0], x) + spread(m[:, 0], x) * (x - spread(c_x[:, 0], x))
    for j in range(h.shape[1]):
        t = x - spread(c_x[:, j], x)
        piece = spread(b2[:, j], x) + spread(b3[:, j], x) * t
        piece = spread(c_y[:, j], x) + t * (spread(m[:, j], x) + t * piece)
        y = torch.where(t >= 0, piece, y)
    t = x - spread(c_x[:, -1], x)
    return torch.where(t >= 0, spread(c_y[:, -1], x) + spread(m[:, -1], x) * t, y)


def swish(x: Tensor, beta: Tensor) -> Tensor:
    """X sigmoid(beta x), beta (A,)."""
    return x * torch.sigmoid(spread(beta, x) * x)


def apl(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """max(0, x) + sum_i a_i max(0, b_i - x), a and b (A, s)."""
    y = torch.relu(x)
    for a_i, b_i in zip(a.unbind(1), b.unbind(1), strict=True):
        y = y + spread(a_i, x) * torch.relu(spread(b_i, x) - x)
    return y


def prelu(x: Tensor, a: Tensor) -> Tensor:
    """max(0, x) + a min(0, x), a (A,)."""
    return torch.relu(x) - spread(a, x) * torch.relu(-x)


def srelu(x: Tensor, lines: Tensor) -> Tensor:
    """X with slope a_l below t_l and a_r above t_r; lines t_l, a_l, t_r, a_r (A, 4)."""
    t_left, a_left, t_right, a_right = (spread(column, x) for column in lines.unbind(1))
    return x + (1 - a_left) * torch.relu(t_left - x) + (a_right - 1) * torch.relu(x - t_right)


def pade(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """(a_0 + ... + a_{s-1} x^{s-1}) / (1 + |b_1 x + ... + b_{s-2} x^{s-2}|), a (A, s), b."""
    return _horner(a, x) / (1 + torch.abs(x * _horner(b, x)))


def _horner(coefficients: Tensor, x: Tensor) -> Tensor:
    *lower, y = (spread(column, x) for column in coefficients.unbind(1))
    for term in reversed(lower):
        y = y * x + term
    return y


def blending(x: Tensor, w: Tensor) -> Tensor:
    """w_0 tanh(x) + w_1 ELU(x) + w_2 max(0, x) + w_3 x + w_4 SiLU(x), w (A, 5)."""
    tanh, elu, relu, identity, silu = (spread(column, x) for column in w.unbind(1))
    curved = tanh * torch.tanh(x) + elu * F.elu(x) + silu * F.silu(x)
    return curved + relu * torch.relu(x) + identity * x


def ensemble(x: Tensor, w: Tensor) -> Tensor:
    """w_0 sigmoid(x) + w_1 tanh(x) + w_2 max(0, x) + w_3, w (A, 4)."""
    sigmoid, tanh, relu, one = (spread(column, x) for column in w.unbind(1))
    return sigmoid * torch.sigmoid(x) + tanh * torch.tanh(x) + relu * torch.relu(x) + one


def gradients(
    plain: Callable[..., Tensor | tuple[Tensor, ...]],
    inputs: Sequence[Tensor | None],
    g: Tensor | tuple[Tensor, ...],
) -> tuple[Tensor | None, ...]:
    """Differentiable gradients of `plain(*inputs)`, for fast kernels in second-order use."""
    wanted = [tensor for tensor in inputs if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(plain(*inputs), wanted, g, create_graph=True))
    return tuple(
        next(found) if tensor is not None and tensor.requires_grad else None for tensor in inputs
    )
