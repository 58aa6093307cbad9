# ruff: noqa: D103
# mypy: ignore-errors
"""Blending units on one tile; parameter w (A, 5): tanh, ELU, ReLU, identity and SiLU."""

import triton
import triton.language as tl

from polyneuron.kernels.gpu.members import decay, relu, sigmoid, tanh, times, weighted
from polyneuron.kernels.gpu.registers import load_row


@triton.jit
def load(parameters, row, inside, S: tl.constexpr):
    return load_row(parameters[0], row, inside, S, 0.0)


@triton.jit
def value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    members, _ = _members(x)
    return weighted(coefficients, members, S)


@triton.jit
def gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    members, slopes = _members(x)
    return g * weighted(coefficients, slopes, S), times(g, members, S)


@triton.jit
def finish(sums, parameters, gradients, row, inside, S: tl.constexpr):
    for i in tl.static_range(S):
        tl.store(gradients[0] + row * S + i, sums[i], mask=inside)


@triton.jit
def _members(x):
    t, less_one = decay(x)
    tanh_x, tanh_slope = tanh(x, t, less_one)
    on, rise = sigmoid(x, t)
    relu_x, relu_slope = relu(x)
    elu = tl.where(x > 0.0, x, less_one)
    elu_slope = tl.where(x > 0.0, 1.0, t)
    members = (tanh_x, elu, relu_x, x, x * on)
    return members, (tanh_slope, elu_slope, relu_slope, 1.0, on + x * rise)


def sums(s: int) -> int:
    return s
