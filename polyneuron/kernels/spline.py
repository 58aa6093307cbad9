"""The natural cubic splines of a whole network: on a GPU in three kernels, with the gradients."""

import torch
from torch import Tensor

from polyneuron import natural_spline as reference
from polyneuron.kernels import cuda
from polyneuron.kernels.operators import is_eager
from polyneuron.kernels.reference import gradients


def natural_spline(c_x: Tensor, c_y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Solve as `polyneuron.natural_spline.natural_spline`, by the fastest means there are.

    Args:
        c_x: control points (A, s) in any order.
        c_y: their heights (A, s).
    """
    if not (is_eager(c_x) and cuda.spline_available(c_x, c_y)):
        return reference.natural_spline(c_x, c_y)
    knots, heights, m = _NaturalSpline.apply(c_x, c_y)
    with torch.no_grad():
        singular = reference.coincident_neighbours(knots) | ~torch.isfinite(m).all(dim=1)
    return knots, heights, m, singular


class _NaturalSpline(torch.autograd.Function):
    @staticmethod
    def forward(ctx, c_x, c_y):  # type: ignore[no-untyped-def]
        knots, heights, m, order = cuda.spline_forward(c_x, c_y)
        ctx.save_for_backward(c_x, c_y, knots, heights, m, order)
        return knots, heights, m

    @staticmethod
    def backward(ctx, *g):  # type: ignore[no-untyped-def]
        c_x, c_y, *solved = ctx.saved_tensors
        if torch.is_grad_enabled():
            return gradients(lambda *points: reference.natural_spline(*points)[:3], (c_x, c_y), g)
        return cuda.spline_backward(*g, *solved)
