# ruff: noqa: D103, RUF005, RUF059
# mypy: ignore-errors
"""Eq. 1 on one tile.

Parameters: c_x (A, s), w (A, s), v (A, 2). Rows of unequal k and s have a fourth: `load` their
orders (A,), at most K, and `finish` which of their points are present (A, s), not 0.

With d = x - c_i both phi and phi' are products with a common factor q(d):

    odd k:   phi = q d,       phi' = k q,            q = d^(k-2) |d|
    even k:  phi = q d L,     phi' = q (k L + 1),    q = d^(k-1),     L = log |d|

Powers are products. The log of r = 0 is replaced by a finite number, which is multiplied by 0.
"""

import triton
import triton.language as tl

from polyneuron.kernels.gpu.registers import load_row


@triton.jit
def load(parameters, row, inside, S: tl.constexpr):
    c_x, w, v = parameters[0], parameters[1], parameters[2]
    points = load_row(c_x, row, inside, S, 0.0)
    weights = load_row(w, row, inside, S, 0.0)
    slope = tl.load(v + row * 2, mask=inside, other=0.0)
    offset = tl.load(v + row * 2 + 1, mask=inside, other=0.0)
    order = ()
    if len(parameters) > 3:
        order = (tl.load(parameters[3] + row, mask=inside, other=1),)
    return points, weights, slope, offset, order


@triton.jit
def value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    points, weights, slope, offset, order = coefficients
    y = slope * x + offset
    for i in tl.static_range(S):
        phi, _ = _phi(x - points[i], order, K)
        y += weights[i] * phi
    return y


@triton.jit
def gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    """Return g dy/dx and what the tile adds to sum g phi_i, sum g phi'_i, sum g x and sum g."""
    points, weights, slope, offset, order = coefficients
    steepness = slope
    by_weight = ()
    by_point = ()
    for i in tl.static_range(S):
        phi, phi_slope = _phi(x - points[i], order, K)
        by_weight = by_weight + (g * phi,)
        by_point = by_point + (g * phi_slope,)
        steepness += weights[i] * phi_slope
    return g * steepness, by_weight + by_point + (g * x, g)


@triton.jit
def finish(sums, parameters, gradients, row, inside, S: tl.constexpr):
    w = parameters[1]
    g_c, g_w, g_v = gradients
    for i in tl.static_range(S):
        by_weight = sums[i]
        if len(parameters) > 3:
            here = tl.load(parameters[3] + row * S + i, mask=inside, other=0)
            by_weight = tl.where(here != 0, by_weight, 0.0)
        tl.store(g_w + row * S + i, by_weight, mask=inside)
        weight = tl.load(w + row * S + i, mask=inside, other=0.0)
        tl.store(g_c + row * S + i, -weight * sums[S + i], mask=inside)
    tl.store(g_v + row * 2, sums[2 * S], mask=inside)
    tl.store(g_v + row * 2 + 1, sums[2 * S + 1], mask=inside)


@triton.jit
def _phi(d, order, K: tl.constexpr):
    """U_k(|d|) and its derivative by d, k = K or each row's own."""
    r = tl.abs(d)
    sign = tl.where(d > 0.0, 1.0, tl.where(d < 0.0, -1.0, d))
    log_r = tl.log(tl.maximum(r, 1.1754943508222875e-38))
    if len(order) > 0:
        k = order[0]
        q = tl.where(k > 1, r, 1.0)
        for e in tl.static_range(2, K):
            q = tl.where(e < k, q * r, q)
        even = k % 2 == 0
        phi = q * r * tl.where(even, log_r, 1.0)
        slope = sign * q * tl.where(even, k * log_r + 1.0, k.to(tl.float32))
    elif K == 1:
        phi = r
        slope = sign
    elif K % 2 == 1:
        q = r
        for _ in tl.static_range(K - 2):
            q = q * d
        phi = q * d
        slope = K * q
    else:
        q = d
        for _ in tl.static_range(K - 2):
            q = q * d
        phi = q * d * log_r
        slope = q * (K * log_r + 1.0)
    return phi, slope


def sums(s: int) -> int:
    return 2 * s + 2
