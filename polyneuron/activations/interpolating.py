"""Activations through control points: Eq. 2 is solved, and its solution evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from polyneuron.activations.activation import Activation
from polyneuron.jit import is_exporting
from polyneuron.kernels.function import Function
from polyneuron.kernels.hermite.formula import HERMITE
from polyneuron.kernels.natural.formula import NATURAL
from polyneuron.kernels.operators import apply
from polyneuron.kernels.radial.formula import radial
from polyneuron.kernels.spline import natural_spline
from polyneuron.system import raise_if_singular, solve_coefficients, solve_isolated

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

Kernel = tuple[Function, tuple[Tensor, ...]]


class Interpolating(Activation):
    """Polyharmonic splines through control points, which a child defines by `points`.

    Attributes:
        solved: inside a `JointSolve`, the kernel that it has computed for the present control
            points; None elsewhere.
    """

    k: int
    solved: Kernel | None = None

    def points(self) -> tuple[Float[Tensor, "A s"], Float[Tensor, "A s"]]:
        """Return the control points c_x and c_y of all functions."""
        raise NotImplementedError

    def coefficients(self) -> tuple[Float[Tensor, "A s"], Float[Tensor, "A 2"]]:
        """Return w and v (slope, then offset), the solution of Eq. 2.

        Raises:
            SingularSystemError: the control points of a function admit no unique spline: two of
                them meet, or k = 4, 6, ... is singular at their scale.
        """
        return solve_coefficients(*self.points(), self.k)

    def kernel(self) -> Kernel:
        """Return the splines in the form in which they are evaluated.

        For k = 3 that is the natural cubic spline, the same function without Eq. 1's cancellation.
        Its evaluation solves the system too, and raises the error below.

        Raises:
            SingularSystemError: a function has no unique spline; compiled code gives NaN instead.
        """
        if self.solved is not None:
            return self.solved
        if self.k == 3:
            return NATURAL, self.points()
        kernel, singular = solved_kernel(*self.points(), self.k)
        if torch.compiler.is_compiling() or is_exporting():
            return spoil(kernel, singular)
        raise_if_singular(singular, *self.points(), self.k)
        return kernel


def solved_kernel(
    c_x: Float[Tensor, "A s"], c_y: Float[Tensor, "A s"], k: int
) -> tuple[Kernel, Bool[Tensor, " A"]]:
    """Solve Eq. 2 for the control points of A functions.

    Returns:
        The kernel that evaluates the functions, and a mask of the singular ones.
    """
    if k == 3:
        *spline, singular = natural_spline(c_x, c_y)
        return (HERMITE, tuple(spline)), singular
    w, v, singular = solve_isolated(c_x, c_y, k)
    return (radial(k), (c_x, w, v)), singular


def spoil(kernel: Kernel, singular: Bool[Tensor, " A"]) -> Kernel:
    """Return the kernel with NaN as values of the singular functions.

    For code that cannot raise an error: compiled code, and a GPU that is not waited for.
    """
    # The last parameter is v or m: NaN in its row makes every value of the function NaN.
    function, (*others, last) = kernel
    return function, (*others, last.masked_fill(singular[:, None], float("nan")))


def spline_through(
    x: Float[Tensor, "*x"], c_x: Float[Tensor, "A s"], c_y: Float[Tensor, "A s"], k: int
) -> Float[Tensor, "*x"]:
    """Return the values at x of the polyharmonic splines through control points in any order.

    Raises:
        SingularSystemError: a function has no unique spline.
    """
    if k == 3:
        return apply(NATURAL, x, (c_x, c_y))
    (function, parameters), singular = solved_kernel(c_x, c_y, k)
    raise_if_singular(singular, c_x, c_y, k)
    return apply(function, x, parameters)
