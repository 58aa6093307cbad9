# ruff: noqa: D103, RUF005, RUF059
# mypy: ignore-errors
"""The cubic Hermite spline on one tile; parameters c_x, c_y and m, each (A, s), c_x ascending.

The formulas are those of `hermite_spline`: t = x - c_j clamped to interval j, a bend that is
exactly 0 at both of its ends, and three moments of each interval for the gradients. The clamps
are written as comparisons because a GPU's min and max drop NaN.
"""

import triton
import triton.language as tl


@triton.jit
def load(c_x, c_y, m, unused, row, inside, S: tl.constexpr):
    knots = ()
    pieces = ()
    c = tl.load(c_x + row * S, mask=inside, other=0.0)
    y = tl.load(c_y + row * S, mask=inside, other=0.0)
    slope = tl.load(m + row * S, mask=inside, other=0.0)
    ends = (c, y, slope)
    for j in tl.static_range(1, S):
        # Beyond the last row lie ascending knots as well, for a quotient without NaN.
        next_c = tl.load(c_x + row * S + j, mask=inside, other=1.0 * j)
        next_y = tl.load(c_y + row * S + j, mask=inside, other=0.0)
        next_slope = tl.load(m + row * S + j, mask=inside, other=0.0)
        h, secant, b2, b3 = _piece(next_c - c, next_y - y, slope, next_slope)
        knots = knots + (c,)
        pieces = pieces + ((h, secant, (secant - slope) / h, b2, b3),)
        c, y, slope = next_c, next_y, next_slope
    return knots, pieces, ends + (c, slope)


@triton.jit
def value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    knots, pieces, ends = coefficients
    first, height, first_slope, last, last_slope = ends
    y = height + first_slope * _negative(x - first) + last_slope * _positive(x - last)
    for j in tl.static_range(S - 1):
        h, secant, bend, b2, b3 = pieces[j]
        t = _clamped(x - knots[j], h)
        y += t * (secant + (t - h) * (bend + b3 * t))
    return y


@triton.jit
def gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    """Return g dy/dx and the tile's moments of each interval, g, and g times both tails."""
    knots, pieces, ends = coefficients
    first, height, first_slope, last, last_slope = ends
    steepness = first_slope
    moments = ()
    for j in tl.static_range(S - 1):
        h, secant, bend, b2, b3 = pieces[j]
        t = _clamped(x - knots[j], h)
        steepness += t * (2.0 * b2 + 3.0 * b3 * t)
        gt = g * t
        moments = moments + (gt, gt * t, gt * t * t)
    return g * steepness, moments + (g, g * _negative(x - first), g * _positive(x - last))


@triton.jit
def finish(sums, c_x, c_y, m, unused, g_c, g_y, g_m, row, inside, S: tl.constexpr):
    """Store the gradients: what knot j gets from the interval left of it and from the right."""
    total = sums[3 * S - 3]
    c = tl.load(c_x + row * S, mask=inside, other=0.0)
    y = tl.load(c_y + row * S, mask=inside, other=0.0)
    slope = tl.load(m + row * S, mask=inside, other=0.0)
    c_left = -slope * total
    y_left = total
    m_left = sums[3 * S - 2]
    for j in tl.static_range(S - 1):
        next_c = tl.load(c_x + row * S + j + 1, mask=inside, other=1.0 * (j + 1))
        next_y = tl.load(c_y + row * S + j + 1, mask=inside, other=0.0)
        next_slope = tl.load(m + row * S + j + 1, mask=inside, other=0.0)
        h, secant, b2, b3 = _piece(next_c - c, next_y - y, slope, next_slope)
        t1, t2, t3 = sums[3 * j], sums[3 * j + 1], sums[3 * j + 2]
        g_secant = (3.0 * t2 - 2.0 * t3 / h) / h
        g_h = -(b2 * t2 + 2.0 * b3 * t3 + secant * g_secant) / h
        shift = -(2.0 * b2 * t1 + 3.0 * b3 * t2)
        tl.store(g_c + row * S + j, c_left + shift - g_h, mask=inside)
        tl.store(g_y + row * S + j, y_left - g_secant / h, mask=inside)
        tl.store(g_m + row * S + j, m_left + t1 - (2.0 * t2 - t3 / h) / h, mask=inside)
        c_left = g_h
        y_left = g_secant / h
        m_left = (t3 / h - t2) / h
        c, y, slope = next_c, next_y, next_slope
    tl.store(g_c + row * S + S - 1, c_left, mask=inside)
    tl.store(g_y + row * S + S - 1, y_left, mask=inside)
    tl.store(g_m + row * S + S - 1, m_left + sums[3 * S - 1], mask=inside)


@triton.jit
def _piece(h, rise, slope, next_slope):
    secant = rise / h
    b2 = (3.0 * secant - 2.0 * slope - next_slope) / h
    b3 = (slope + next_slope - 2.0 * secant) / (h * h)
    return h, secant, b2, b3


@triton.jit
def _clamped(t, h):
    t = _positive(t)
    return tl.where(t > h, h, t)


@triton.jit
def _positive(t):
    return tl.where(t < 0.0, 0.0, t)


@triton.jit
def _negative(t):
    return tl.where(t > 0.0, 0.0, t)
