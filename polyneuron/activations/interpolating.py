"""Activations that pass through control points: Eq. 2 solved, then evaluated."""

import torch
from torch import Tensor

from polyneuron.activations.activation import Activation
from polyneuron.kernels.function import Function
from polyneuron.kernels.hermite.formula import HERMITE
from polyneuron.kernels.natural.formula import NATURAL
from polyneuron.kernels.operators import apply
from polyneuron.kernels.radial.formula import radial
from polyneuron.kernels.spline import natural_spline
from polyneuron.system import raise_if_singular, solve_coefficients, solve_isolated

Kernel = tuple[Function, tuple[Tensor, ...]]


class Interpolating(Activation):
    """Polyharmonic splines through control points, which a child defines by `points`.

    Attributes:
        solved: the kernel of the present control points, while a `JointSolve` provides it.
    """

    k: int
    solved: Kernel | None = None

    def points(self) -> tuple[Tensor, Tensor]:
        """The control points c_x and c_y (A, s)."""
        raise NotImplementedError

    def coefficients(self) -> tuple[Tensor, Tensor]:
        """Solve Eq. 2 for w (A, s) and v (A, 2), slope then offset.

        Raises:
            SingularSystemError: the control points of a function admit no unique spline, be it
                that two meet or that the scale is one at which k = 4, 6, ... is singular.
        """
        return solve_coefficients(*self.points(), self.k)

    def kernel(self) -> Kernel:
        """The splines in the form in which they are evaluated.

        For k = 3 as natural cubic splines, which are the same functions without the cancellation.

        Raises:
            SingularSystemError: a function has no unique spline; compiled code gives NaN instead.
                For k = 3 it is the evaluation that raises it.
        """
        if self.solved is not None:
            return self.solved
        if self.k == 3:
            return NATURAL, self.points()
        kernel, singular = solved_kernel(*self.points(), self.k)
        if torch.compiler.is_compiling():
            return spoil(kernel, singular)
        raise_if_singular(singular, *self.points(), self.k)
        return kernel


def solved_kernel(c_x: Tensor, c_y: Tensor, k: int) -> tuple[Kernel, Tensor]:
    """Solve Eq. 2 for control points (A, s).

    Returns:
        What is to be evaluated, and a mask (A,) of the singular functions.
    """
    if k == 3:
        *spline, singular = natural_spline(c_x, c_y)
        return (HERMITE, tuple(spline)), singular
    w, v, singular = solve_isolated(c_x, c_y, k)
    return (radial(k), (c_x, w, v)), singular


def spoil(kernel: Kernel, singular: Tensor) -> Kernel:
    """Make the singular functions (A,) not a number, where nobody could raise an error."""
    function, (*others, last) = kernel
    return function, (*others, last.masked_fill(singular[:, None], float("nan")))


def spline_through(x: Tensor, c_x: Tensor, c_y: Tensor, k: int) -> Tensor:
    """Value at x of the polyharmonic splines through control points (A, s), in any order.

    Raises:
        SingularSystemError: a function has no unique spline.
    """
    if k == 3:
        return apply(NATURAL, x, (c_x, c_y))
    (function, parameters), singular = solved_kernel(c_x, c_y, k)
    raise_if_singular(singular, c_x, c_y, k)
    return apply(function, x, parameters)
