"""Eq. 2 for k = 3: the interpolating function is the natural cubic spline, found in O(s).

The sum of Eq. 1 cancels: at |x| = 1000 with s = 33 it is wrong in float32 by a factor of 100. The
spline's pieces do not cancel. They are the same function, since the second derivative of the sum is
piecewise linear and 0 beyond both ends.
"""

import torch
from torch import Tensor

from polyneuron.jit import is_traced

MIN_RELATIVE_GAP = 1e-6
"""Control points closer than this part of the points' span count as one, and Eq. 2 as singular."""


def natural_spline(c_x: Tensor, c_y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The natural cubic splines through control points (A, s) in any order.

    Returns:
        knots (A, s), ascending; heights and slopes (A, s) at them; a mask (A,) of the functions
        without a unique spline, whose slopes mean nothing.
    """
    knots, order = c_x.sort(dim=1)
    heights = c_y.gather(1, order)
    # Coincident points divide by 0 here: a mask costs less than asking a GPU before.
    m = knot_slopes(knots, heights)
    singular = coincident_neighbours(knots.detach()) | ~torch.isfinite(m.detach()).all(dim=1)
    return knots, heights, m, singular


def differences(rows: Tensor) -> Tensor:
    """Return each value less the one before it, (A, s - 1), of rows (A, s)."""
    # Not `diff`, which ONNX exports by torch.jit do not have.
    return rows[:, 1:] - rows[:, :-1]


def coincident_neighbours(c_x: Tensor) -> Tensor:
    """Mask (A,) of the functions with two control points, ascending (A, s), that count as one."""
    span = c_x[:, -1] - c_x[:, 0]
    # Not `gap <= limit`, which a gap that is NaN would pass.
    return ~(differences(c_x).amin(dim=1) > MIN_RELATIVE_GAP * span)


def knot_slopes(c_x: Tensor, c_y: Tensor) -> Tensor:
    """Slopes (A, s) at the knots of the natural cubic spline through ascending points (A, s).

    The slopes solve a tridiagonal system of rows (2, 1), (lambda, 2, mu), (1, 2) with
    lambda + mu = 1, whose condition number is at most 3.25.
    """
    h = differences(c_x)
    secant = differences(c_y) / h
    # For two and three points, the usual cases, the solution takes fewer operations written out.
    if h.shape[1] == 1:
        return secant.expand(-1, 2)
    if h.shape[1] == 2:
        bend = h * differences(secant) / (2 * (c_x[:, 2:] - c_x[:, :1]))
        first, last = secant[:, :1], secant[:, 1:]
        at_first, at_last = bend[:, :1], bend[:, 1:]
        return torch.cat([first - at_first, first + 2 * at_first, last + at_last], dim=1)
    mu = h[:, :-1] / (h[:, :-1] + h[:, 1:])
    one = torch.ones_like(h[:, :1])
    lower = torch.cat([1 - mu, one], dim=1)
    upper = torch.cat([one, mu], dim=1)
    inner = 3 * ((1 - mu) * secant[:, :-1] + mu * secant[:, 1:])
    rhs = torch.cat([3 * secant[:, :1], inner, 3 * secant[:, -1:]], dim=1)
    # A traced program is for inference, and keeps no autograd Function.
    solve = _eliminate if is_traced() else _Tridiagonal.apply
    m: Tensor = solve(lower, upper, rhs)
    return m


def spline_coefficients(c_x: Tensor, c_y: Tensor) -> tuple[Tensor, Tensor]:
    """Return w (A, s) and v (A, 2) of Eq. 1, k = 3, through ascending control points (A, s).

    f''' jumps by 12 w_i at c_i; v_0 and v_1 are the means of the two tails' slopes and offsets.
    """
    m = knot_slopes(c_x, c_y)
    h = c_x.diff(dim=1)
    b3 = (m[:, :-1] + m[:, 1:] - 2 * c_y.diff(dim=1) / h) / h.square()
    zero = torch.zeros_like(b3[:, :1])
    w = torch.cat([zero, b3, zero], dim=1).diff(dim=1) / 2
    ends = [0, -1]
    slope = m[:, ends]
    offset = c_y[:, ends] - slope * c_x[:, ends]
    return w, torch.stack([slope.mean(1), offset.mean(1)], dim=1)


def _eliminate(lower: Tensor, upper: Tensor, rhs: Tensor) -> Tensor:
    # The diagonal, 2 throughout, dominates: no pivots are needed.
    s = rhs.shape[1]
    pivot = [torch.full_like(rhs[:, 0], 2.0)]
    z = [rhs[:, 0]]
    for i in range(1, s):
        factor = lower[:, i - 1] / pivot[-1]
        pivot.append(2.0 - factor * upper[:, i - 1])
        z.append(rhs[:, i] - factor * z[-1])
    z[-1] = z[-1] / pivot[-1]
    for i in range(s - 2, -1, -1):
        z[i] = (z[i] - upper[:, i] * z[i + 1]) / pivot[i]
    return torch.stack(z, dim=1)


class _Tridiagonal(torch.autograd.Function):
    """Solve T z = rhs, T tridiagonal with 2 on its diagonal; its adjoint is one more solve."""

    @staticmethod
    def forward(lower: Tensor, upper: Tensor, rhs: Tensor) -> Tensor:
        return _eliminate(lower, upper, rhs)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(*inputs[:2], output)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        lower, upper, z = ctx.saved_tensors
        adjoint = _Tridiagonal.apply(upper, lower, grad)
        return -adjoint[:, 1:] * z[:, :-1], -adjoint[:, :-1] * z[:, 1:], adjoint
