"""Eq. 2 for k = 3 on a GPU: the natural splines of many rows at once.

`hermite` evaluates them. Rows of all layers and channels may be concatenated; nothing waits for the
host.
"""

import torch
from torch import Tensor

from polyneuron.kernels.backend import Splines
from polyneuron.kernels.gpu.launching import launch
from polyneuron.kernels.gpu.layout import THREADS, next_power_of_2
from polyneuron.kernels.natural.device import (
    slopes_gradient_kernel,
    slopes_kernel,
    sort_kernel,
)


def solve(c_x: Tensor, c_y: Tensor) -> Splines:
    """See `Backend.solve`. Points that coincide, and NaN, give NaN slopes, in their row alone."""
    c_x, c_y = c_x.float().contiguous(), c_y.float().contiguous()
    knots, heights, m = (torch.empty_like(c_x) for _ in range(3))
    order = torch.empty_like(c_x, dtype=torch.int32)
    (A, s), block_s = c_x.shape, next_power_of_2(c_x.shape[1])
    if A:
        # Sorting compares all pairs of a row at once, at most 16 of them in a thread's registers.
        rows = max(1, 16 * THREADS // block_s**2)
        points = {"knots": knots, "heights": heights}
        sizes = {"A": A, "S": s}
        launch(
            sort_kernel,
            (-(-A // rows),),
            c_x=c_x,
            c_y=c_y,
            order=order,
            **points,
            **sizes,
            BLOCK_A=rows,
            BLOCK_S=block_s,
        )
        launch(slopes_kernel, (-(-A // THREADS),), m=m, **points, **sizes, BLOCK_A=THREADS)
    return Splines(knots, heights, m, order)


def solve_backward(
    splines: Splines, g_knots: Tensor, g_heights: Tensor, g_m: Tensor
) -> tuple[Tensor, Tensor]:
    """See `Backend.solve_backward`."""
    g_c, g_y = torch.empty_like(splines.knots), torch.empty_like(splines.knots)
    A, s = splines.knots.shape
    if A:
        launch(
            slopes_gradient_kernel,
            (-(-A // THREADS),),
            g_knots=g_knots.contiguous(),
            g_heights=g_heights.contiguous(),
            g_m=g_m.contiguous(),
            **splines._asdict(),
            g_c=g_c,
            g_y=g_y,
            A=A,
            S=s,
            BLOCK_A=THREADS,
        )
    return g_c, g_y
