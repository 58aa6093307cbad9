# ruff: noqa: RUF005
# mypy: ignore-errors
"""Kernels that solve for the natural cubic spline through the control points of every row.

The result is a Hermite spline, which `hermite/device.py` evaluates. The system is that of
`polyneuron.natural_spline`, rows (2, 1), (lambda, 2, mu), (1, 2): its diagonal dominates, so that
elimination needs no pivots. Each row belongs to one lane, which holds it in registers.
"""

import triton
import triton.language as tl

from polyneuron.kernels.gpu.registers import load_row


@triton.jit
def sort_kernel(
    c_x,
    c_y,
    knots,
    heights,
    order,
    A,
    S: tl.constexpr,
    BLOCK_A: tl.constexpr,
    BLOCK_S: tl.constexpr,
):
    """Sort the points of each row, NaN last; `order` says which point each knot is."""
    row = tl.program_id(0) * BLOCK_A + tl.arange(0, BLOCK_A)[:, None]
    i = tl.arange(0, BLOCK_S)[None, :]
    inside = (row < A) & (i < S)
    c = tl.load(c_x + row * S + i, mask=inside, other=0.0)
    y = tl.load(c_y + row * S + i, mask=inside, other=0.0)
    one, other = c[:, :, None], c[:, None, :]
    i_one, i_other = i[:, :, None], i[:, None, :]
    level = (other == one) | ((other != other) & (one != one))
    before = (other < one) | ((one != one) & (other == other)) | (level & (i_other < i_one))
    rank = tl.sum((before & (i_other < S)).to(tl.int32), axis=2)
    tl.store(knots + row * S + rank, c, mask=inside)
    tl.store(heights + row * S + rank, y, mask=inside)
    tl.store(order + row * S + rank, i + row * 0, mask=inside)


@triton.jit
def slopes_kernel(knots, heights, m, A, S: tl.constexpr, BLOCK_A: tl.constexpr):
    """Store the spline's slopes at the ascending knots of each row."""
    row = tl.program_id(0) * BLOCK_A + tl.arange(0, BLOCK_A)
    inside = row < A
    # Lanes beyond the last row get ascending knots too, so that no quotient is NaN.
    c = load_row(knots, row, inside, S, 1.0)
    slopes = knot_slopes(c, load_row(heights, row, inside, S, 0.0), S)
    for i in tl.static_range(S):
        tl.store(m + row * S + i, slopes[i], mask=inside)


@triton.jit
def slopes_gradient_kernel(
    g_knots,
    g_heights,
    g_m,
    knots,
    heights,
    m,
    order,
    g_c,
    g_y,
    A,
    S: tl.constexpr,
    BLOCK_A: tl.constexpr,
):
    """Gradients of the points as they were given: the adjoint is one more elimination."""
    row = tl.program_id(0) * BLOCK_A + tl.arange(0, BLOCK_A)
    inside = row < A
    c = load_row(knots, row, inside, S, 1.0)
    y = load_row(heights, row, inside, S, 0.0)
    slopes = load_row(m, row, inside, S, 0.0)
    lower, upper = off_diagonals(c, S)
    by_rhs = load_row(g_m, row, inside, S, 0.0)
    by_rhs = eliminate((row * 0.0,) + upper, lower[1:] + (row * 0.0,), by_rhs, S)
    secants = divided_differences(c, y, S)
    by_mu = (row * 0.0,)
    for i in tl.static_range(1, S - 1):
        bend = slopes[i - 1] - slopes[i + 1] + 3.0 * (secants[i] - secants[i - 1])
        by_mu = by_mu + (by_rhs[i] * bend / (c[i + 1] - c[i - 1]),)
    by_mu = by_mu + (row * 0.0,)
    by_c = ()
    by_y = ()
    left_c = row * 0.0
    left_y = row * 0.0
    for j in tl.static_range(S - 1):
        h = c[j + 1] - c[j]
        # Interval j stands in the equations of both of its knots, mu = h_{i-1} / (h_{i-1} + h_i).
        by_secant = 3.0 * (by_rhs[j] * upper[j] + by_rhs[j + 1] * lower[j + 1])
        right_y = by_secant / h
        right_c = by_mu[j + 1] * lower[j + 1] - by_mu[j] * upper[j] - right_y * secants[j]
        by_c = by_c + (left_c - right_c,)
        by_y = by_y + (left_y - right_y,)
        left_c = right_c
        left_y = right_y
    by_c = by_c + (left_c,)
    by_y = by_y + (left_y,)
    for i in tl.static_range(S):
        given = row * S + tl.load(order + row * S + i, mask=inside, other=0)
        at_knot = tl.load(g_knots + row * S + i, mask=inside, other=0.0)
        at_height = tl.load(g_heights + row * S + i, mask=inside, other=0.0)
        tl.store(g_c + given, by_c[i] + at_knot, mask=inside)
        tl.store(g_y + given, by_y[i] + at_height, mask=inside)


@triton.jit
def knot_slopes(c, y, S: tl.constexpr):
    """Slopes at ascending knots, by the equations at the head of the module."""
    lower, upper = off_diagonals(c, S)
    secants = divided_differences(c, y, S)
    rhs = (3.0 * secants[0],)
    for i in tl.static_range(1, S - 1):
        rhs = rhs + (3.0 * (lower[i] * secants[i - 1] + upper[i] * secants[i]),)
    rhs = rhs + (3.0 * secants[S - 2],)
    return eliminate(lower, upper, rhs, S)


@triton.jit
def off_diagonals(c, S: tl.constexpr):
    """Lambda and mu of every knot; 1 in the first and the last equation, 0 beyond them."""
    lower = (c[0] * 0.0,)
    upper = (c[0] * 0.0 + 1.0,)
    for i in tl.static_range(1, S - 1):
        mu = (c[i] - c[i - 1]) / (c[i + 1] - c[i - 1])
        lower = lower + (1.0 - mu,)
        upper = upper + (mu,)
    return lower + (c[0] * 0.0 + 1.0,), upper + (c[0] * 0.0,)


@triton.jit
def divided_differences(c, y, S: tl.constexpr):
    """Secant slope of every interval."""
    secants = ()
    for j in tl.static_range(S - 1):
        secants = secants + ((y[j + 1] - y[j]) / (c[j + 1] - c[j]),)
    return secants


@triton.jit
def eliminate(lower, upper, rhs, S: tl.constexpr):
    """Solve the tridiagonal system with 2 on its diagonal."""
    pivots = (rhs[0] * 0.0 + 2.0,)
    z = (rhs[0],)
    for i in tl.static_range(1, S):
        factor = lower[i] / pivots[i - 1]
        pivots = pivots + (2.0 - factor * upper[i - 1],)
        z = z + (rhs[i] - factor * z[i - 1],)
    solved = (z[S - 1] / pivots[S - 1],)
    for i in tl.static_range(1, S):
        # `solved` grows at its front: its first entry is the unknown after this one.
        z_i = z[S - 1 - i] - upper[S - 1 - i] * solved[0]
        solved = (z_i / pivots[S - 1 - i],) + solved
    return solved
