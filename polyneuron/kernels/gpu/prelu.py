# ruff: noqa: D103
# mypy: ignore-errors
"""PReLU on one tile; parameter a (A,)."""

import triton
import triton.language as tl


@triton.jit
def load(a, unused_1, unused_2, unused_3, row, inside, S: tl.constexpr):
    return (tl.load(a + row, mask=inside, other=0.0),)


@triton.jit
def value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    return tl.where(x < 0.0, coefficients[0] * x, x)


@triton.jit
def gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    """Return g dy/dx, 0 at the kink, and what the tile adds to sum g min(0, x)."""
    slope = tl.where(x > 0.0, 1.0, tl.where(x < 0.0, coefficients[0], 0.0))
    return g * slope, (g * tl.where(x > 0.0, 0.0, x),)


@triton.jit
def finish(sums, a, u_1, u_2, u_3, g_a, u_4, u_5, row, inside, S: tl.constexpr):
    tl.store(g_a + row, sums[0], mask=inside)
