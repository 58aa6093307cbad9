"""Eq. 2: the coefficients of the polyharmonic spline through given control points.

    [ K   C ] [w]   [c_y]      K_ij = U_k(|c_i - c_j|),  C = [c_x 1]
    [ C^T 0 ] [v] = [ 0 ]

The systems are solved in float64, whatever the dtype of the points: they are tiny, and nearby
control points use up float32's condition budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from polyneuron.basis import basis, basis_derivative, check_order
from polyneuron.elimination import eliminate
from polyneuron.jit import is_exporting, is_traced
from polyneuron.natural_spline import (
    MIN_RELATIVE_GAP,
    coincident_neighbours,
    spline_coefficients,
)

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

MIN_RCOND_IN_EPS = 16
"""Least reciprocal condition, in eps of the points' dtype, of a system that counts as solvable.

At an exactly singular scale, rounding the points leaves a reciprocal condition of a few eps.
"""


class SingularSystemError(ValueError):
    """Eq. 2 has no unique solution for one activation function.

    Attributes:
        index: which of the A activation functions.
        control_points: its c_x, a tuple of s floats.
        k: order of U_k.
        reason: what is wrong with the control points, and what to do.
    """

    def __init__(self, index: int, control_points: tuple[float, ...], k: int, reason: str) -> None:
        self.index, self.control_points, self.k, self.reason = index, control_points, k, reason
        # Pickling, on the way from a worker process, makes the error anew from these arguments.
        super().__init__(index, control_points, k, reason)

    def __str__(self) -> str:
        points = ", ".join(f"{c:.9g}" for c in self.control_points)
        return (
            f"Eq. 2 is singular for activation function {self.index} with k = {self.k} and"
            f" control points c_x = ({points}): {self.reason}"
        )


def assemble(c_x: Float[Tensor, "*batch s"], k: int) -> Float[Tensor, "*batch s+2 s+2"]:
    """Return the matrix of Eq. 2, as printed at the top of this module."""
    return _bordered(basis(torch.abs(c_x[..., :, None] - c_x[..., None, :]), k), c_x)


def _bordered(K: Tensor, t: Tensor) -> Tensor:
    C = torch.stack([t, torch.ones_like(t)], dim=-1)
    corner = torch.zeros_like(C[..., :2, :])
    bottom = torch.cat([C.transpose(-1, -2), corner], dim=-1)
    return torch.cat([torch.cat([K, C], dim=-1), bottom], dim=-2)


def solve_coefficients(
    c_x: Float[Tensor, "*batch s"], c_y: Float[Tensor, "*batch s"], k: int
) -> tuple[Float[Tensor, "*batch s"], Float[Tensor, "*batch 2"]]:
    """Solve Eq. 2 for the splines through the control points.

    >>> w, v = solve_coefficients(torch.tensor([-1.0, 0, 1]), torch.tensor([0.0, 0, 1]), k=3)
    >>> w.tolist(), v.tolist()
    ([0.125, -0.25, 0.125], [0.5, -0.25])

    Args:
        c_x: abscissas of the control points (..., s), in any order, distinct in each spline.
        c_y: their heights (..., s).
        k: order of U_k, at least 1.

    Returns:
        w (..., s) and v (..., 2), slope then offset.

    Raises:
        SingularSystemError: names the first spline without a solution, its c_x and k.
        ValueError: the shapes differ, a dtype is not floating-point, s < 2, or k is not an integer
            of at least 1.
    """
    w, v, singular = solve_isolated(c_x, c_y, k)
    raise_if_singular(singular, c_x, c_y, k)
    return w, v


def solve_isolated(
    c_x: Float[Tensor, "*batch s"], c_y: Float[Tensor, "*batch s"], k: int
) -> tuple[Float[Tensor, "*batch s"], Float[Tensor, "*batch 2"], Bool[Tensor, "*batch"]]:
    """Solve Eq. 2 for each spline that has a solution, and mark the splines that have none.

    Args:
        c_x: abscissas of the control points (..., s), in any order.
        c_y: their heights (..., s).
        k: order of U_k, at least 1.

    Returns:
        w (..., s), v (..., 2), and a mask (...) of the singular splines. Their w and v are 0, and
        so are their gradients; the other splines are solved as if they were alone.

    Raises:
        ValueError: as for `solve_coefficients`.
    """
    check_order(k)
    if c_x.shape != c_y.shape or c_x.ndim < 1 or c_x.shape[-1] < 2:
        raise ValueError(
            "c_x and c_y must have the same shape (..., s) with s of at least 2, got"
            f" {tuple(c_x.shape)} and {tuple(c_y.shape)}"
        )
    if not (c_x.is_floating_point() and c_y.is_floating_point()):
        raise ValueError(f"c_x and c_y must be floating-point, got {c_x.dtype} and {c_y.dtype}")
    batch, s = c_x.shape[:-1], c_x.shape[-1]
    eps = torch.finfo(c_x.dtype).eps
    points = c_x.reshape(-1, s).double(), c_y.reshape(-1, s).double()
    # A traced program is for inference, and keeps no autograd Function.
    interpolate = _interpolate if is_traced() else _Interpolate.apply
    w, v, singular = interpolate(*points, k, eps)
    w, v = w.to(c_y.dtype), v.to(c_y.dtype)
    return w.reshape(*batch, s), v.reshape(*batch, 2), singular.reshape(batch)


def raise_if_singular(
    singular: Bool[Tensor, "*batch"],
    c_x: Float[Tensor, "*batch s"],
    c_y: Float[Tensor, "*batch s"],
    k: int,
) -> None:
    """Raise an error about the first spline that the mask `singular` marks.

    On a GPU this waits for all work queued before it.

    Raises:
        SingularSystemError: a spline is marked.
    """
    if not bool(singular.any()):
        return
    index = int(singular.reshape(-1).to(torch.uint8).argmax())  # there is no argmax of bool
    s = c_x.shape[-1]
    points = c_x.detach().reshape(-1, s)[index]
    heights = c_y.detach().reshape(-1, s)[index]
    raise SingularSystemError(index, tuple(points.tolist()), k, _reason(points, heights))


def _reason(c_x: Tensor, c_y: Tensor) -> str:
    if not bool(torch.isfinite(c_x).all()):
        return "c_x must be finite"
    if not bool(torch.isfinite(c_y).all()):
        return f"c_y must be finite, got {tuple(c_y.tolist())}"
    if bool(coincident(c_x[None])):
        return f"two points are closer than {MIN_RELATIVE_GAP:g} of their span; move them apart"
    return "no unique solution at this spacing; move the points or use another k"


def coincident(c_x: Float[Tensor, "A s"]) -> Bool[Tensor, " A"]:
    """Return a mask of the functions with two control points that count as one, in any order."""
    return coincident_neighbours(c_x.sort(dim=1).values)


def _interpolate(c_x: Tensor, c_y: Tensor, k: int, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return w (A, s), v (A, 2) and the mask (A,) of singular splines, whose w and v are 0."""
    if k == 3 or c_x.shape[1] == 2:  # two points have the same straight line for every k
        w, v, rcond = _by_spline(c_x, c_y)
    elif c_x.shape[1] == 3:
        w, v, rcond = _by_closed_form(c_x, c_y, k)
    else:
        w, v, rcond = _by_lu(c_x, c_y, k)
    finite = torch.isfinite(w).all(1) & torch.isfinite(v).all(1)
    singular = coincident(c_x) | ~finite | ~(rcond > MIN_RCOND_IN_EPS * eps)
    return (
        w.masked_fill(singular[:, None], 0.0),
        v.masked_fill(singular[:, None], 0.0),
        singular,
    )


def _by_spline(c_x: Tensor, c_y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    c_x, order = c_x.sort(dim=1)
    w, v = spline_coefficients(c_x, c_y.gather(1, order))
    return torch.empty_like(w).scatter(1, order, w), v, torch.ones_like(v[:, 0])


def _by_closed_form(c_x: Tensor, c_y: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return w (A, 3), v (A, 2) and the reciprocal condition (A,) for s = 3.

    The two last rows of Eq. 2 leave w one direction: the second divided difference, `delta`.
    """
    c0, c1, c2 = c_x.unbind(1)
    delta = torch.stack(
        [
            1 / ((c0 - c1) * (c0 - c2)),
            1 / ((c1 - c0) * (c1 - c2)),
            1 / ((c2 - c0) * (c2 - c1)),
        ],
        dim=1,
    )
    K = basis(torch.abs(c_x[:, :, None] - c_x[:, None, :]), k)
    terms = delta[:, :, None] * K * delta[:, None, :]
    form = terms.sum((1, 2))
    w = delta * ((delta * c_y).sum(1) / form)[:, None]
    residual = c_y - (K @ w[:, :, None])[:, :, 0]
    # The residuals lie on a line; least squares about the mean finds it for any order of points.
    t = c_x - c_x.mean(1, keepdim=True)
    slope = (t * residual).sum(1) / t.square().sum(1)
    offset = residual.mean(1) - slope * c_x.mean(1)
    return w, torch.stack([slope, offset], dim=1), form.abs() / terms.abs().sum((1, 2))


def _by_lu(c_x: Tensor, c_y: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return w (A, s), v (A, 2) and the reciprocal condition (A,) for any s and k.

    Rows and columns are scaled to order 1: the line is written in t = (c_x - middle) / half span,
    and K is divided by its largest entry. Both leave the solution as it is for every k; moving the
    points themselves to t would change it for k = 4, 6, ...
    """
    low, high = c_x.aminmax(dim=1, keepdim=True)
    middle, half = (low + high) / 2, (high - low) / 2
    s = c_x.shape[1]
    K = basis(torch.abs(c_x[:, :, None] - c_x[:, None, :]), k)
    scale = K.abs().amax((1, 2), keepdim=True)
    M = _bordered(K / scale, (c_x - middle) / half)
    heights = torch.cat([c_y, torch.zeros_like(c_y[:, :2])], dim=1)
    identity = torch.eye(s + 2, dtype=M.dtype, device=M.device).expand_as(M)
    rhs = torch.cat([heights[:, :, None], identity], dim=2)
    solved = eliminate(M, rhs) if is_exporting() else _by_factors(M, rhs)
    rcond = 1 / (_norm_1(M) * _norm_1(solved[:, :, 1:]))
    w = solved[:, :s, 0] / scale[:, 0]
    slope = solved[:, s, 0] / half[:, 0]
    return w, torch.stack([slope, solved[:, s + 1, 0] - slope * middle[:, 0]], dim=1), rcond


def _by_factors(M: Tensor, rhs: Tensor) -> Tensor:
    # The _ex form reports a failing spline instead of raising for the whole batch.
    LU, pivots, _ = torch.linalg.lu_factor_ex(M)
    solved: Tensor = torch.linalg.lu_solve(LU, pivots, rhs)
    return solved


def _norm_1(M: Tensor) -> Tensor:
    return M.abs().sum(1).amax(1)


class _Interpolate(torch.autograd.Function):
    """`_interpolate` with the analytic adjoint: the backward pass is one more interpolation.

    Let M be the matrix of Eq. 2, f the spline, phi(d) = U_k(|d|), and g_w, g_v the gradients of w
    and v. The backward pass solves M (lam, m) = (g_w, g_v) for lam (A, s) and m (A, 2); then
    dL/dc_y = lam and dL/dc_i = -lam_i f'(c_i) - w_i (sum_j lam_j phi'(c_i - c_j) + m_0).
    """

    @staticmethod
    def forward(c_x: Tensor, c_y: Tensor, k: int, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        return _interpolate(c_x, c_y, k, eps)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
        c_x, _, ctx.k, ctx.eps = inputs
        w, v, singular = output
        ctx.mark_non_differentiable(singular)
        ctx.save_for_backward(c_x, w, v, singular)

    @staticmethod
    def backward(ctx, g_w, g_v, _):  # type: ignore[no-untyped-def]
        c_x, w, v, singular = ctx.saved_tensors
        lam, m = _adjoint(c_x, g_w, g_v, ctx.k, ctx.eps)
        d = c_x[:, :, None] - c_x[:, None, :]
        slope = torch.sign(d) * basis_derivative(torch.abs(d), ctx.k)
        f_slope = (slope * w[:, None, :]).sum(2) + v[:, :1]
        g_c = -lam * f_slope - w * ((slope * lam[:, None, :]).sum(2) + m[:, :1])
        # The products of a singular spline may be 0 * inf = NaN.
        return g_c.masked_fill(singular[:, None], 0.0), lam, None, None


def _adjoint(c_x: Tensor, g_w: Tensor, g_v: Tensor, k: int, eps: float) -> tuple[Tensor, Tensor]:
    """Return lam (A, s) and m (A, 2) with M (lam, m) = (g_w, g_v), found by interpolation.

    lam is a sum of two parts. The first, `outer`, lies on the two outermost points and has the
    moments that the last two rows ask for, C^T lam = g_v. The second interpolates what the first
    leaves of g_w, and has no moments.
    """
    low, high = c_x.argmin(1, keepdim=True), c_x.argmax(1, keepdim=True)
    c_low, c_high = c_x.gather(1, low), c_x.gather(1, high)
    at_high = (g_v[:, :1] - c_low * g_v[:, 1:]) / (c_high - c_low)
    outer = torch.zeros_like(g_w).scatter(1, high, at_high).scatter(1, low, g_v[:, 1:] - at_high)
    K = basis(torch.abs(c_x[:, :, None] - c_x[:, None, :]), k)
    rest = g_w - (K @ outer[:, :, None])[:, :, 0]
    lam, m, singular = _Interpolate.apply(c_x, rest, k, eps)
    return (lam + outer).masked_fill(singular[:, None], 0.0), m
