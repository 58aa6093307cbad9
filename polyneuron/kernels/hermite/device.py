# ruff: noqa: D103, RUF005, RUF059
# mypy: ignore-errors
"""The cubic Hermite spline on one tile; parameters c_x, c_y and m, each (A, s), c_x ascending.

With t = x - c_j clamped to interval j, x right of it gets its whole rise and x left of it nothing:

    y = y_0 + m_0 min(x - c_0, 0) + sum_j t (secant + (t - h) (bend + b3 t)) + m_n max(x - c_n, 0)

where t (t - h) is exactly 0 at both ends: the bend of an interval left of x adds no rounding.
All gradients follow from three moments of each interval, sum g t, g t^2 and g t^3. The clamps are
written as comparisons because a GPU's min and max drop NaN.
"""

import triton
import triton.language as tl

from polyneuron.kernels.gpu.registers import load_row


@triton.jit
def load(parameters, row, inside, S: tl.constexpr):
    c_x, c_y, m = parameters
    # Lanes without a row get ascending knots too, so that no quotient is NaN.
    knots = load_row(c_x, row, inside, S, 1.0)
    heights = load_row(c_y, row, inside, S, 0.0)
    slopes = load_row(m, row, inside, S, 0.0)
    pieces = ()
    for j in tl.static_range(S - 1):
        pieces = pieces + (_piece(knots, heights, slopes, j),)
    return knots, pieces, heights[0], slopes[0], slopes[S - 1]


@triton.jit
def value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    knots, pieces, first_height, first_slope, last_slope = coefficients
    y = first_height + first_slope * _negative(x - knots[0])
    y += last_slope * _positive(x - knots[S - 1])
    for j in tl.static_range(S - 1):
        h, secant, bend, b2, b3 = pieces[j]
        t = _clamped(x - knots[j], h)
        y += t * (secant + (t - h) * (bend + b3 * t))
    return y


@triton.jit
def gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    """Return g dy/dx and the tile's moments of each interval, g, and g times both tails."""
    knots, pieces, first_height, first_slope, last_slope = coefficients
    steepness = first_slope
    moments = ()
    for j in tl.static_range(S - 1):
        h, secant, bend, b2, b3 = pieces[j]
        t = _clamped(x - knots[j], h)
        steepness += t * (2.0 * b2 + 3.0 * b3 * t)
        gt = g * t
        moments = moments + (gt, gt * t, gt * t * t)
    tails = (g, g * _negative(x - knots[0]), g * _positive(x - knots[S - 1]))
    return g * steepness, moments + tails


@triton.jit
def finish(sums, parameters, gradients, row, inside, S: tl.constexpr):
    """Store the gradients: knot j has one part from the interval left of it, one from the right."""
    c_x, c_y, m = parameters
    g_c, g_y, g_m = gradients
    knots = load_row(c_x, row, inside, S, 1.0)
    heights = load_row(c_y, row, inside, S, 0.0)
    slopes = load_row(m, row, inside, S, 0.0)
    total = sums[3 * S - 3]
    c_left = -slopes[0] * total
    y_left = total
    m_left = sums[3 * S - 2]
    for j in tl.static_range(S - 1):
        h, secant, bend, b2, b3 = _piece(knots, heights, slopes, j)
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
    tl.store(g_c + row * S + S - 1, c_left, mask=inside)
    tl.store(g_y + row * S + S - 1, y_left, mask=inside)
    tl.store(g_m + row * S + S - 1, m_left + sums[3 * S - 1], mask=inside)


@triton.jit
def _piece(knots, heights, slopes, j: tl.constexpr):
    """Length, secant, bend, quadratic and cubic coefficient of interval j."""
    h = knots[j + 1] - knots[j]
    secant = (heights[j + 1] - heights[j]) / h
    b2 = (3.0 * secant - 2.0 * slopes[j] - slopes[j + 1]) / h
    b3 = (slopes[j] + slopes[j + 1] - 2.0 * secant) / (h * h)
    return h, secant, (secant - slopes[j]) / h, b2, b3


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


def sums(s: int) -> int:
    return 3 * s
