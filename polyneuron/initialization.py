"""The starts of PolyNeuron and PolyNeuron-R: control points, and the coefficients through them."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from polyneuron.basis import check_order
from polyneuron.options import check_choice, check_integer, check_number
from polyneuron.system import solve_coefficients, solve_isolated

if TYPE_CHECKING:
    from jaxtyping import Float

INITS = ("relu_like", "random", "smooth_relu")


class PolyNeuronWarning(UserWarning):
    """A choice of s and k that is allowed, but has a property that few users want."""


def start_points(
    functions: int,
    s: int,
    k: int,
    init: str = "relu_like",
    half_range: float = 1.0,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "A s"], Float[Tensor, "A s"]]:
    """Return the control points c_x and c_y from which a PolyNeuron starts, in float64 on the CPU.

    `relu_like`: points of ReLU, evenly spaced on [-half_range, half_range]; for s = 3 the paper's
    (-1, 0), (0, 0), (1, 1). For s = k = 3 the left tail rises (slope -1/4) and the right one is too
    steep (5/4).
    `random`: c_x and c_y from N(0, half_range^2), the start that the paper found unstable.
    `smooth_relu`: heights of the cubic B-spline smoothing of ReLU, which is exactly 0 left of
    -half_range and exactly x right of half_range. For k = 3 and odd s the spline through them is
    that function, so the tails are ReLU's own; it differs from ReLU by at most half_range / 6.

    Args:
        functions: A, the number of activation functions.
        s: number of control points, at least 2.
        k: order of U_k, at least 1.
        init: one of the three starts above.
        half_range: scale of the start.
        generator: source of the random start; None is torch's global one.

    Raises:
        ValueError: s < 2, k < 1, no integers, an unknown init, or half_range not positive.
    """
    _check_start(s, k, init, half_range)
    if init == "random":
        shape = (2, functions, s)
        c_x, c_y = half_range * _normal(shape, generator)
        return c_x, c_y
    c_x = half_range * torch.linspace(-1, 1, s, dtype=torch.float64, device="cpu")
    c_y = torch.relu(c_x) if init == "relu_like" else smooth_relu(c_x, half_range)
    return c_x.expand(functions, s).clone(), c_y.expand(functions, s).clone()


def start_coefficients(
    functions: int,
    s: int,
    k: int,
    init: str = "relu_like",
    half_range: float = 1.0,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "A s"], Float[Tensor, "A s"], Float[Tensor, "A 2"]]:
    """Return c_x, w and v from which a PolyNeuron-R starts, in float64 on the CPU.

    w and v solve Eq. 2 for the points of `start_points`. For `random` they are drawn from N(0, 1):
    `half_range` scales c_x alone.

    Args:
        functions: A, the number of activation functions.
        s: number of control points, at least 2.
        k: order of U_k, at least 1.
        init: as for `start_points`.
        half_range: scale of the control points.
        generator: source of the random start; None is torch's global one.

    Raises:
        SingularSystemError: Eq. 2 has no solution for this s, k and half_range (even k >= 4).
        ValueError: as for `start_points`.
    """
    c_x, c_y = start_points(functions, s, k, init, half_range, generator)
    if init == "random":
        draw = _normal((functions, s + 2), generator)
        return c_x, draw[:, :s], draw[:, s:]
    # Values that are not there, as those of torch's fake tensors, can be neither kept nor checked.
    if type(c_x) is not Tensor:
        return (c_x, *solve_isolated(c_x, c_y, k)[:2])
    w, v = _solved_start(functions, s, k, init, half_range)
    return c_x, w.clone(), v.clone()


def _normal(shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    device = "cpu" if generator is None else generator.device
    return torch.randn(shape, generator=generator, dtype=torch.float64, device=device).cpu()


def as_parameter(start: Float[Tensor, "*start"]) -> nn.Parameter:
    """Return a parameter of torch's default dtype on torch's default device."""
    return nn.Parameter(start.to(torch.get_default_device(), torch.get_default_dtype()))


# A sweep starts thousands of networks from the same points.
@functools.lru_cache(64)
def _solved_start(
    functions: int, s: int, k: int, init: str, half_range: float
) -> tuple[Tensor, Tensor]:
    c_x, c_y = start_points(functions, s, k, init, half_range)
    return solve_coefficients(c_x, c_y, k)


def warn_if_unsound(s: int, k: int) -> None:
    """Warn of an s or k that is allowed, but has a property that few users want."""
    if s == 2:
        _warn("s = 2: the spline through two control points is a straight line")
    elif s % 2 == 0:
        _warn(f"s = {s} is even: no control point lies at ReLU's kink, x = 0; prefer an odd s")
    if k % 2 == 0 and k >= 4:
        _warn(
            f"k = {k}: Eq. 2 is singular at some spacings of distinct control points; prefer k = 3"
        )


def _warn(text: str) -> None:
    # Level 4 is the caller of the constructor: 1 is here, 2 warn_if_unsound, 3 the constructor.
    warnings.warn(text, PolyNeuronWarning, stacklevel=4)


def _check_start(s: int, k: int, init: str, half_range: float) -> None:
    check_integer("s", s, least=2)
    check_order(k)
    check_choice("init", init, INITS)
    check_number("half_range", half_range, above=0)


def smooth_relu(x: Float[Tensor, "*x"], half_range: float) -> Float[Tensor, "*x"]:
    """Return ReLU convolved with a triangle of width 2 half_range.

    It is twice continuously differentiable, and ReLU itself outside [-half_range, half_range].
    """
    t = x / half_range
    return half_range * torch.where(
        t <= 0, torch.relu(t + 1) ** 3 / 6, t + torch.relu(1 - t) ** 3 / 6
    )
