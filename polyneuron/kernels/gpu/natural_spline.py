"""The natural cubic spline through control points: Eq. 2 for k = 3, a whole network at once.

`forward(x, "hermite", (knots, heights, m))` evaluates it. Rows of all layers and channels may be
concatenated; nothing waits for the host.
"""

import torch
from torch import Tensor

from polyneuron.kernels.gpu.interpolation import (
    slopes_gradient_kernel,
    slopes_kernel,
    sort_kernel,
)
from polyneuron.kernels.gpu.layout import THREADS, next_power_of_2
from polyneuron.kernels.gpu.passes import launch


def interpolate_forward(c_x: Tensor, c_y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return knots, heights and slopes of the splines, and each knot's place in c_x, all (A, s).

    Points that coincide, and NaN, give NaN slopes, in their row alone.

    Args:
        c_x: control points (A, s) in any order, s >= 2.
        c_y: their values (A, s).
    """
    c_x, c_y = c_x.float().contiguous(), c_y.float().contiguous()
    knots, heights, m = (torch.empty_like(c_x) for _ in range(3))
    order = torch.empty_like(c_x, dtype=torch.int32)
    (A, s), block_s = c_x.shape, next_power_of_2(c_x.shape[1])
    if A:
        # A thread compares at most 16 pairs of points.
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
    return knots, heights, m, order


def interpolate_backward(
    g_knots: Tensor,
    g_heights: Tensor,
    g_m: Tensor,
    knots: Tensor,
    heights: Tensor,
    m: Tensor,
    order: Tensor,
) -> tuple[Tensor, Tensor]:
    """Gradients of c_x and c_y.

    Args:
        g_knots: gradient of knots.
        g_heights: gradient of heights.
        g_m: gradient of m.
        knots: what `interpolate_forward` returned, as the three that follow.
        heights: as above.
        m: as above.
        order: as above.
    """
    g_c, g_y = torch.empty_like(knots), torch.empty_like(knots)
    A, s = knots.shape
    if A:
        launch(
            slopes_gradient_kernel,
            (-(-A // THREADS),),
            g_knots=g_knots.contiguous(),
            g_heights=g_heights.contiguous(),
            g_m=g_m.contiguous(),
            knots=knots,
            heights=heights,
            m=m,
            order=order,
            g_c=g_c,
            g_y=g_y,
            A=A,
            S=s,
            BLOCK_A=THREADS,
        )
    return g_c, g_y
