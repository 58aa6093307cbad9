# ruff: noqa: D103
# mypy: ignore-errors
"""SReLU on one tile; its parameter's columns (A, 4) are t_left, a_left, t_right and a_right."""

import triton
import triton.language as tl

from polyneuron.kernels.gpu.registers import load_row


@triton.jit
def load(parameters, row, inside, S: tl.constexpr):
    return load_row(parameters[0], row, inside, S, 0.0)


@triton.jit
def value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    t_left, a_left, t_right, a_right = coefficients
    left, right = _beyond(x, t_left, t_right)
    return x + (a_left - 1.0) * left + (a_right - 1.0) * right


@triton.jit
def gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    """Return g dy/dx and what the tile adds to the sums, in the order of the columns."""
    t_left, a_left, t_right, a_right = coefficients
    left, right = _beyond(x, t_left, t_right)
    slope = 1.0 + tl.where(left < 0.0, a_left - 1.0, 0.0)
    slope += tl.where(right > 0.0, a_right - 1.0, 0.0)
    g_left, g_right = tl.where(left < 0.0, g, 0.0), tl.where(right > 0.0, g, 0.0)
    return g * slope, (g_left, g * left, g_right, g * right)


@triton.jit
def finish(sums, parameters, gradients, row, inside, S: tl.constexpr):
    lines, g_lines = parameters[0], gradients[0]
    for i in tl.static_range(2):
        at = row * S + 2 * i
        slope = tl.load(lines + at + 1, mask=inside, other=0.0)
        tl.store(g_lines + at, (1.0 - slope) * sums[2 * i], mask=inside)
        tl.store(g_lines + at + 1, sums[2 * i + 1], mask=inside)


@triton.jit
def _beyond(x, t_left, t_right):
    """Return the distances of x beyond the left threshold, at most 0, and beyond the right one."""
    left, right = x - t_left, x - t_right
    return tl.where(left > 0.0, 0.0, left), tl.where(right < 0.0, 0.0, right)


def sums(s: int) -> int:
    return s
