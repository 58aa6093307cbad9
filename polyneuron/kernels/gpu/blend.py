# ruff: noqa: D103, RUF005
# mypy: ignore-errors
"""Weighted sums of fixed functions on one tile; parameter w, one column a member.

Blending units sum tanh, ELU, ReLU, identity and SiLU; ensembles sigmoid, tanh, ReLU and 1. All of
them follow from e^-|x|, whose distance from 1 keeps its digits near 0.
"""

import triton
import triton.language as tl

from polyneuron.kernels.gpu.rows import load_row


@triton.jit
def load(w, unused_1, unused_2, unused_3, row, inside, S: tl.constexpr):
    return load_row(w, row, inside, S, 0.0)


@triton.jit
def blending_value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    members, _ = _blending(x)
    return _weighted(coefficients, members, S)


@triton.jit
def blending_gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    members, slopes = _blending(x)
    return g * _weighted(coefficients, slopes, S), _times(g, members, S)


@triton.jit
def ensemble_value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    members, _ = _ensemble(x)
    return _weighted(coefficients, members, S)


@triton.jit
def ensemble_gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    members, slopes = _ensemble(x)
    return g * _weighted(coefficients, slopes, S), _times(g, members, S)


@triton.jit
def finish(sums, w, u_1, u_2, u_3, g_w, u_4, u_5, row, inside, S: tl.constexpr):
    for i in tl.static_range(S):
        tl.store(g_w + row * S + i, sums[i], mask=inside)


@triton.jit
def _blending(x):
    """Members of a blending unit and their slopes."""
    t, less_one = _decay(x)
    tanh, tanh_slope = _tanh(x, t, less_one)
    sigmoid, sigmoid_slope = _sigmoid(x, t)
    relu, relu_slope = _relu(x)
    elu = tl.where(x > 0.0, x, less_one)
    elu_slope = tl.where(x > 0.0, 1.0, t)
    members = (tanh, elu, relu, x, x * sigmoid)
    return members, (tanh_slope, elu_slope, relu_slope, 1.0, sigmoid + x * sigmoid_slope)


@triton.jit
def _ensemble(x):
    """Members of an ensemble and their slopes."""
    t, less_one = _decay(x)
    tanh, tanh_slope = _tanh(x, t, less_one)
    sigmoid, sigmoid_slope = _sigmoid(x, t)
    relu, relu_slope = _relu(x)
    return (sigmoid, tanh, relu, 1.0), (sigmoid_slope, tanh_slope, relu_slope, 0.0)


@triton.jit
def _decay(x):
    """e^-|x|, and e^-|x| - 1 by its series where the difference would cancel."""
    r = tl.abs(x)
    t = tl.exp(-r)
    series = 1.0
    for i in tl.static_range(6):
        series = 1.0 - series * r / (7 - i)
    return t, tl.where(r < 0.35, -r * series, t - 1.0)


@triton.jit
def _tanh(x, t, less_one):
    scale = 1.0 / (1.0 + t * t)
    size = less_one * (1.0 + t) * scale
    return tl.where(x < 0.0, size, -size), 4.0 * (t * scale) * (t * scale)


@triton.jit
def _sigmoid(x, t):
    scale = 1.0 / (1.0 + t)
    return tl.where(x < 0.0, t, 1.0) * scale, t * scale * scale


@triton.jit
def _relu(x):
    return tl.where(x < 0.0, 0.0, x), tl.where(x > 0.0, 1.0, 0.0)


@triton.jit
def _weighted(weights, terms, S: tl.constexpr):
    y = weights[0] * terms[0]
    for i in tl.static_range(1, S):
        y += weights[i] * terms[i]
    return y


@triton.jit
def _times(g, members, S: tl.constexpr):
    products = ()
    for i in tl.static_range(S):
        products = products + (g * members[i],)
    return products
