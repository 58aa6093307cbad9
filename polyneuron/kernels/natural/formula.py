"""The natural cubic spline through control points: Eq. 2 solved for k = 3, then Eq. 1."""

import torch
from torch import Tensor

from polyneuron.jit import is_exporting
from polyneuron.kernels.function import Function, two_smooth_rows
from polyneuron.kernels.hermite.formula import HERMITE, hermite_spline
from polyneuron.kernels.tracing import is_transformed
from polyneuron.natural_spline import natural_spline
from polyneuron.system import raise_if_singular


def spline_value(x: Tensor, c_x: Tensor, c_y: Tensor) -> Tensor:
    """Value at x of the natural cubic splines through control points.

    Compiled and transformed code cannot raise an error that depends on data: there the values of a
    function without a unique spline are NaN.

    Args:
        x: any shape with A = 1; (N, C, ...) with A = C or A = the elements of a sample.
        c_x: abscissas of the control points (A, s), in any order.
        c_y: their heights (A, s).

    Raises:
        SingularSystemError: a function has no unique spline.
    """
    knots, heights, m, singular = natural_spline(c_x, c_y)
    if torch.compiler.is_compiling() or is_exporting() or is_transformed():
        m = m.masked_fill(singular[:, None], float("nan"))
    else:
        raise_if_singular(singular, c_x, c_y, 3)
    return hermite_spline(x, knots, heights, m)


NATURAL = Function("natural", spline_value, "Natural<{s}>", two_smooth_rows, solved_as=HERMITE)
"""Parameters: control points c_x and c_y (A, s)."""
