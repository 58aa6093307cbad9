"""The cubic Hermite spline with straight tails in few passes over memory; only x is saved.

Interval j adds p_j(t) = m_j t + b2_j t^2 + b3_j t^3 with t = x - c_j clamped to [0, h_j], so that
an interval left of x adds its whole rise, one right of x nothing, and no search is needed:

    y = y_0 + m_0 min(x - c_0, 0) + sum_j p_j(t_j) + m_n max(x - c_n, 0)

The gradients of all the small tensors follow from three moments sum g t, sum g t^2, sum g t^3 of
each interval, and from sums over the tails.

The forward pass writes p_j as its secant and a bend, t (t - h_j) (...), that is exactly 0 at both
ends: in float32, intervals passed add no error of their bend. (Choosing pieces by `torch.where`
would round less still, and costs as much as 40 clamps.)
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.kernels import reference
from polyneuron.scope import spread, sum_by_function


def hermite_spline(x: Tensor, c_x: Tensor, c_y: Tensor, m: Tensor) -> Tensor:
    """`reference.evaluate_hermite`, for x in float32 or float64 and c_x, c_y, m in x's dtype."""
    y: Tensor = _HermiteSpline.apply(x, c_x, c_y, m)
    return y


class _HermiteSpline(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, c_x: Tensor, c_y: Tensor, m: Tensor) -> Tensor:
        h, secant, _, b3 = _pieces(c_x, c_y, m)
        bend = (secant - m[:, :-1]) / h
        y = _left_of(x, c_x).mul_(spread(m[:, 0], x))
        y += _right_of(x, c_x).mul_(spread(m[:, -1], x))
        y += spread(c_y[:, 0], x)
        for j in range(h.shape[1]):
            t = _within(x, c_x, h, j)
            p = (t * spread(b3[:, j], x)).add_(spread(bend[:, j], x))
            p.mul_(t - spread(h[:, j], x)).add_(spread(secant[:, j], x))
            y += p.mul_(t)
        return y

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        if reference.is_second_order():
            return reference.gradients(reference.evaluate_hermite, ctx.saved_tensors, g)
        return _gradients(*ctx.saved_tensors, g)


def _gradients(
    x: Tensor, c_x: Tensor, c_y: Tensor, m: Tensor, g: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    A, s = c_x.shape
    h, secant, b2, b3 = _pieces(c_x, c_y, m)
    slope = torch.empty_like(x).copy_(spread(m[:, 0], x))
    moments = []
    for j in range(s - 1):
        t = _within(x, c_x, h, j)
        slope += (t * spread(3 * b3[:, j], x)).add_(spread(2 * b2[:, j], x)).mul_(t)
        gt = g * t
        for _ in range(3):
            moments.append(sum_by_function(gt, A))
            gt *= t
    t1, t2, t3 = torch.stack(moments, dim=1).reshape(A, s - 1, 3).unbind(2)
    total = sum_by_function(g, A)[:, None]
    left = sum_by_function(_left_of(x, c_x).mul_(g), A)[:, None]
    right = sum_by_function(_right_of(x, c_x).mul_(g), A)[:, None]

    g_secant = (3 * t2 - 2 * t3 / h) / h
    g_h = -(b2 * t2 + 2 * b3 * t3 + secant * g_secant) / h
    # c_j also shifts t in interval j. As f' is continuous at c_j, m_j t needs no term there; only
    # at c_0, left of which the tail moves with it.
    shift = -(2 * b2 * t1 + 3 * b3 * t2)
    g_c = _ends(shift - g_h, g_h) - _first(m[:, :1] * total, s)
    g_y = _ends(-g_secant / h, g_secant / h) + _first(total, s)
    g_m = _ends(t1 - (2 * t2 - t3 / h) / h, (t3 / h - t2) / h)
    g_m += _first(left, s) + _first(right, s).flip(1)
    return g * slope, g_c, g_y, g_m


def _ends(at_left: Tensor, at_right: Tensor) -> Tensor:
    """Sum by knot (A, s) what each interval (A, s - 1) gives its left and its right knot."""
    return F.pad(at_left, (0, 1)) + F.pad(at_right, (1, 0))


def _first(value: Tensor, s: int) -> Tensor:
    return F.pad(value, (0, s - 1))


def _pieces(c_x: Tensor, c_y: Tensor, m: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Interval lengths, secant slopes, and the pieces' quadratic and cubic coefficients."""
    h = c_x.diff(dim=1)
    secant = c_y.diff(dim=1) / h
    b2 = (3 * secant - 2 * m[:, :-1] - m[:, 1:]) / h
    b3 = (m[:, :-1] + m[:, 1:] - 2 * secant) / h.square()
    return h, secant, b2, b3


def _within(x: Tensor, c_x: Tensor, h: Tensor, j: int) -> Tensor:
    return torch.minimum((x - spread(c_x[:, j], x)).clamp_min_(0), spread(h[:, j], x))


def _left_of(x: Tensor, c_x: Tensor) -> Tensor:
    return (x - spread(c_x[:, 0], x)).clamp_max_(0)


def _right_of(x: Tensor, c_x: Tensor) -> Tensor:
    return (x - spread(c_x[:, -1], x)).clamp_min_(0)
