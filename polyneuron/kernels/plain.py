"""The backend of plain formulas: works everywhere, and is what the fast backends are checked on.

Gradients are autograd's, of the formula computed once more.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.kernels.backend import BatchNorm, Case, Normalised, Splines
from polyneuron.kernels.function import Function
from polyneuron.natural_spline import knot_slopes

Inputs = Sequence[Tensor | None]
Outputs = Tensor | tuple[Tensor, ...]


def wide_dtype(x: Tensor) -> torch.dtype:
    """The dtype in which functions of x are computed."""
    return torch.float64 if x.dtype is torch.float64 else torch.float32


def widened(function: Function) -> Callable[..., Tensor]:
    """The formula of (x, *parameters), computed in float32 where x is in half precision."""

    def formula(x: Tensor, *parameters: Tensor) -> Tensor:
        return function.plain(x.to(wide_dtype(x)), *parameters).to(x.dtype)

    return formula


def norm_formula(function: Function, norm: BatchNorm, statistics: Tensor) -> Callable[..., Tensor]:
    """The formula of (z, residual, weight, bias, *parameters), function and norm in one.

    The batch's own statistics are differentiated, others (mean and variance, (2, C)) constant.
    """
    mean, variance = (None, None) if norm.by_batch else statistics

    def formula(
        z: Tensor, residual: Tensor | None, weight: Tensor, bias: Tensor, *parameters: Tensor
    ) -> Tensor:
        wide = z.to(wide_dtype(z))
        # Without running statistics, which the forward pass has updated already.
        u = F.batch_norm(wide, mean, variance, weight, bias, norm.by_batch, 0.0, norm.eps)
        u = u if residual is None else u + residual
        return function.plain(u, *parameters).to(z.dtype)

    return formula


def gradients(
    formula: Callable[..., Outputs], inputs: Inputs, g: Outputs
) -> tuple[Tensor | None, ...]:
    """Differentiable gradients of `formula(*inputs)` by the inputs that require one.

    Fast kernels have no second derivatives: where a gradient is differentiated again, these take
    the place of theirs.
    """
    # Views, because one input may be computed from another, whose gradient would count it twice.
    views = [None if one is None else one.view_as(one) for one in inputs]
    wanted = [one for one in views if one is not None and one.requires_grad]
    found = iter(torch.autograd.grad(formula(*views), wanted, g, create_graph=True))
    return tuple(next(found) if one is not None and one.requires_grad else None for one in views)


def supports(case: Case) -> bool:
    """Every case."""
    return True


def forward(function: Function, x: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, bool]:
    """See `Backend.forward`; the formula raises an error of its own where no function exists."""
    return widened(function)(x, *parameters), True


def backward(
    function: Function, g: Tensor, x: Tensor, parameters: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """See `Backend.backward`."""
    inputs = [one.detach().requires_grad_() for one in (x, *parameters)]
    g_x, *by_parameters = _gradients_of_leaves(widened(function), inputs, g)
    return g_x, by_parameters


def norm_forward(of: Normalised) -> tuple[Tensor, Tensor, bool]:
    """See `Backend.norm_forward`; the statistics are mean and variance."""
    norm, wide = of.norm, of.z.to(wide_dtype(of.z))
    # Before torch's batch norm, which overwrites the running statistics.
    if norm.running is None or norm.training:
        others = [n for n in range(wide.ndim) if n != 1]
        statistics = torch.stack(torch.var_mean(wide, others, correction=0)[::-1])
    else:
        statistics = torch.stack(norm.running)
    mean, variance = norm.running or (None, None)
    affine = norm.weight, norm.bias
    u = F.batch_norm(wide, mean, variance, *affine, norm.by_batch, norm.momentum, norm.eps)
    y = of.function.plain(u if of.residual is None else u + of.residual, *of.parameters)
    return y.to(of.z.dtype), statistics, True


def norm_backward(of: Normalised, g: Tensor, statistics: Tensor) -> tuple[Tensor | None, ...]:
    """See `Backend.norm_backward`."""
    given = (of.z, of.residual, of.norm.weight, of.norm.bias, *of.parameters)
    inputs = [None if one is None else one.detach().requires_grad_() for one in given]
    leaves = [one for one in inputs if one is not None]  # autograd takes no None
    formula = norm_formula(of.function, of.norm, statistics)
    found = iter(_gradients_of_leaves(lambda *_: formula(*inputs), leaves, g))
    return tuple(None if one is None else next(found) for one in inputs)


def norm_variance(norm: BatchNorm, statistics: Tensor) -> Tensor:
    """See `Backend.norm_variance`."""
    return statistics[1]


def solve(c_x: Tensor, c_y: Tensor) -> Splines:
    """See `Backend.solve`."""
    knots, order = c_x.sort(dim=1)
    heights = c_y.gather(1, order)
    return Splines(knots, heights, knot_slopes(knots, heights), order)


def solve_backward(
    splines: Splines, g_knots: Tensor, g_heights: Tensor, g_m: Tensor
) -> tuple[Tensor, Tensor]:
    """See `Backend.solve_backward`."""
    inputs = [one.detach().requires_grad_() for one in (splines.knots, splines.heights)]
    by_knots, by_heights = _gradients_of_leaves(knot_slopes, inputs, g_m)
    at_knots = g_knots + by_knots, g_heights + by_heights
    g_c_x, g_c_y = (torch.empty_like(g).scatter(1, splines.order, g) for g in at_knots)
    return g_c_x, g_c_y


def _gradients_of_leaves(
    formula: Callable[..., Tensor], leaves: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    with torch.enable_grad():  # a backward pass runs without
        return torch.autograd.grad(formula(*leaves), leaves, g)
