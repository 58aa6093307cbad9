# ruff: noqa: D103
# mypy: ignore-errors
"""Activation ensembles on one tile; parameter w (A, 4): sigmoid, tanh, ReLU and 1."""

import triton
import triton.language as tl

# A blend of other members: its weights are loaded, and their gradients stored, in the same way.
from polyneuron.kernels.blending.device import finish, load, sums
from polyneuron.kernels.gpu.members import decay, relu, sigmoid, tanh, times, weighted

__all__ = ["finish", "gradient", "load", "sums", "value"]


@triton.jit
def value(x, coefficients, S: tl.constexpr, K: tl.constexpr):
    members, _ = _members(x)
    return weighted(coefficients, members, S)


@triton.jit
def gradient(x, g, coefficients, S: tl.constexpr, K: tl.constexpr):
    members, slopes = _members(x)
    return g * weighted(coefficients, slopes, S), times(g, members, S)


@triton.jit
def _members(x):
    t, less_one = decay(x)
    tanh_x, tanh_slope = tanh(x, t, less_one)
    on, rise = sigmoid(x, t)
    relu_x, relu_slope = relu(x)
    return (on, tanh_x, relu_x, 1.0), (rise, tanh_slope, relu_slope, 0.0)
