# ruff: noqa: D103
# mypy: ignore-errors
"""Swish on one tile; parameter beta (A,)."""

import triton
import triton.language as tl


@triton.jit
def load(beta, unused_1, unused_2, unused_3, row, inside, S: tl.constexpr):
    return (tl.load(beta + row, mask=inside, other=0.0),)


@triton.jit
def value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    sigmoid, _ = _sigmoid(coefficients[0] * x)
    return x * sigmoid


@triton.jit
def gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    """Return g dy/dx and what the tile adds to sum g dy/dbeta."""
    z = coefficients[0] * x
    sigmoid, sigmoid_slope = _sigmoid(z)
    # x^2 alone could overflow where the slope is 0.
    return g * (sigmoid + z * sigmoid_slope), (g * (x * (x * sigmoid_slope)),)


@triton.jit
def finish(sums, beta, u_1, u_2, u_3, g_beta, u_4, u_5, row, inside, S: tl.constexpr):
    tl.store(g_beta + row, sums[0], mask=inside)


@triton.jit
def _sigmoid(z):
    """Sigmoid and its slope, neither of which cancels far out."""
    e = tl.exp(-tl.abs(z))
    scale = 1.0 / (1.0 + e)
    return tl.where(z < 0.0, e, 1.0) * scale, e * scale * scale
