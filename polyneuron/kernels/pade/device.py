# ruff: noqa: D103, RUF005
# mypy: ignore-errors
"""Padé units on one tile; parameters a (A, s), from a_0 on, and b (A, s - 2), from b_1 on.

Powers are multiplied up after the division by the denominator, which bounds them.
"""

import triton
import triton.language as tl

from polyneuron.kernels.gpu.registers import load_row


@triton.jit
def load(parameters, row, inside, S: tl.constexpr):
    a, b = parameters
    return load_row(a, row, inside, S, 0.0), load_row(b, row, inside, S - 2, 0.0)


@triton.jit
def value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    a, b = coefficients
    above, _ = _polynomial(x, a, S)
    below, _ = _polynomial(x, b, S - 2)
    return above / (1.0 + tl.abs(x * below))


@triton.jit
def gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    """Return g dy/dx and what the tile adds to sum g dy/da_i and to sum g dy/db_i."""
    a, b = coefficients
    above, above_slope = _polynomial(x, a, S)
    factor, factor_slope = _polynomial(x, b, S - 2)
    below = x * factor
    denominator = 1.0 + tl.abs(below)
    share, y = g / denominator, above / denominator
    # y with the sign of what stands between the bars.
    bent = tl.where(below > 0.0, y, tl.where(below < 0.0, -y, 0.0 * y))
    by_a = (share,)
    for i in tl.static_range(1, S):
        by_a = by_a + (by_a[i - 1] * x,)
    by_b = (-share * bent * x,)
    for i in tl.static_range(1, S - 2):
        by_b = by_b + (by_b[i - 1] * x,)
    return share * (above_slope - bent * (factor + x * factor_slope)), by_a + by_b


@triton.jit
def finish(sums, parameters, gradients, row, inside, S: tl.constexpr):
    g_a, g_b = gradients
    for i in tl.static_range(S):
        tl.store(g_a + row * S + i, sums[i], mask=inside)
    for i in tl.static_range(S - 2):
        tl.store(g_b + row * (S - 2) + i, sums[S + i], mask=inside)


@triton.jit
def _polynomial(x, coefficients, N: tl.constexpr):
    """Value and slope of the polynomial with N coefficients, constant first."""
    y = coefficients[N - 1] + 0.0 * x
    slope = 0.0 * x
    for i in tl.static_range(1, N):
        slope = slope * x + y
        y = y * x + coefficients[N - 1 - i]
    return y, slope


def sums(s: int) -> int:
    return 2 * s - 2
