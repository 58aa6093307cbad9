# ruff: noqa: D103, RUF005
# mypy: ignore-errors
"""Adaptive piecewise linear units on one tile; parameters a and b, each (A, s)."""

import triton
import triton.language as tl

from polyneuron.kernels.gpu.registers import load_row


@triton.jit
def load(parameters, row, inside, S: tl.constexpr):
    a, b = parameters
    return load_row(a, row, inside, S, 0.0), load_row(b, row, inside, S, 0.0)


@triton.jit
def value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    slopes, hinges = coefficients
    y = tl.where(x < 0.0, 0.0, x)
    for i in tl.static_range(S):
        short = hinges[i] - x
        y += slopes[i] * tl.where(short < 0.0, 0.0, short)
    return y


@triton.jit
def gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    """Return g dy/dx and what the tile adds to sum g max(0, b_i - x) and sum g [x < b_i]."""
    slopes, hinges = coefficients
    steepness = tl.where(x > 0.0, 1.0, 0.0)
    by_slope = ()
    by_hinge = ()
    for i in tl.static_range(S):
        short = hinges[i] - x
        steepness -= tl.where(short > 0.0, slopes[i], 0.0)
        by_slope = by_slope + (g * tl.where(short < 0.0, 0.0, short),)
        by_hinge = by_hinge + (tl.where(short <= 0.0, 0.0, g),)
    return g * steepness, by_slope + by_hinge


@triton.jit
def finish(sums, parameters, gradients, row, inside, S: tl.constexpr):
    a, _ = parameters
    g_a, g_b = gradients
    for i in tl.static_range(S):
        tl.store(g_a + row * S + i, sums[i], mask=inside)
        slope = tl.load(a + row * S + i, mask=inside, other=0.0)
        tl.store(g_b + row * S + i, slope * sums[S + i], mask=inside)


def sums(s: int) -> int:
    return 2 * s
