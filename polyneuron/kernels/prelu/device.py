# ruff: noqa: D103
# mypy: ignore-errors
"""PReLU on one tile; parameter a (A,)."""

import triton
import triton.language as tl


@triton.jit
def load(parameters, row, inside, S: tl.constexpr):
    return (tl.load(parameters[0] + row, mask=inside, other=0.0),)


@triton.jit
def value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    return tl.where(x < 0.0, coefficients[0] * x, x)


@triton.jit
def gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    """Return g dy/dx, 0 at the kink, and what the tile adds to sum g min(0, x)."""
    slope = tl.where(x > 0.0, 1.0, tl.where(x < 0.0, coefficients[0], 0.0))
    return g * slope, (g * tl.where(x > 0.0, 0.0, x),)


@triton.jit
def finish(sums, parameters, gradients, row, inside, S: tl.constexpr):
    tl.store(gradients[0] + row, sums[0], mask=inside)


def sums(s: int) -> int:
    return 1
