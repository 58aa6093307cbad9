"""The natural cubic splines of a whole network: on a GPU in three kernels, gradients included."""

import torch
from torch import Tensor

from polyneuron.kernels import plain
from polyneuron.kernels.backend import Backend, Case, Splines
from polyneuron.kernels.choice import backend_for
from polyneuron.kernels.natural.formula import NATURAL
from polyneuron.kernels.tracing import is_eager
from polyneuron.natural_spline import coincident_neighbours
from polyneuron.natural_spline import natural_spline as plain_spline


def natural_spline(c_x: Tensor, c_y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Solve as `polyneuron.natural_spline.natural_spline` does, on the fastest backend.

    Args:
        c_x: abscissas of the control points (A, s), in any order.
        c_y: their heights (A, s).

    Returns:
        Knots, heights, slopes (A, s), and a mask (A,) of the functions without a unique spline.
    """
    backend = _solver(c_x, c_y)
    if backend is None:
        return plain_spline(c_x, c_y)
    knots, heights, m = _NaturalSpline.apply(backend, c_x, c_y)
    with torch.no_grad():
        singular = coincident_neighbours(knots) | ~torch.isfinite(m).all(dim=1)
    return knots, heights, m, singular


def _solver(c_x: Tensor, c_y: Tensor) -> Backend | None:
    """The backend with kernels for these points; None where autograd follows the formula."""
    if not is_eager(c_x) or c_y.dtype is not c_x.dtype:
        return None
    backend = backend_for(Case("solve", NATURAL, c_x.shape[1], c_x.dtype, c_x.device))
    return None if backend is plain else backend


class _NaturalSpline(torch.autograd.Function):
    @staticmethod
    def forward(ctx, backend, c_x, c_y):  # type: ignore[no-untyped-def]
        knots, heights, m, order = backend.solve(c_x, c_y)
        ctx.backend = backend
        ctx.save_for_backward(c_x, c_y, knots, heights, m, order)
        return knots, heights, m

    @staticmethod
    def backward(ctx, *g):  # type: ignore[no-untyped-def]
        c_x, c_y, *solved = ctx.saved_tensors
        if torch.is_grad_enabled():
            formula = lambda *points: plain_spline(*points)[:3]  # noqa: E731
            return None, *plain.gradients(formula, (c_x, c_y), g)
        return None, *ctx.backend.solve_backward(Splines(*solved), *g)
