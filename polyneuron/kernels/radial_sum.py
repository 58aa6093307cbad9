"""Eq. 1 in few passes over memory: only x is saved, and the backward pass computes phi again.

With d = x - c_i and phi(d) = U_k(|d|), both phi and phi' are products with a common factor q(d):

    odd k:   phi = q d,       phi' = k q,            q = d^(k-2) |d|  (sign d for k = 1)
    even k:  phi = q d L,     phi' = q (k L + 1),    q = d^(k-1),     L = log |d|
"""

from functools import partial

import torch
from torch import Tensor

from polyneuron.basis import power
from polyneuron.kernels import reference
from polyneuron.scope import spread, sum_by_function


def radial_sum(x: Tensor, c_x: Tensor, w: Tensor, v: Tensor, k: int) -> Tensor:
    """`reference.evaluate`, for x in float32 or float64 and coefficients in x's dtype."""
    y: Tensor = _RadialSum.apply(x, c_x, w, v, k)
    return y


class _RadialSum(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, c_x: Tensor, w: Tensor, v: Tensor, k: int) -> Tensor:
        y = x * spread(v[:, 0], x)
        y += spread(v[:, 1], x)
        for c_i, w_i in zip(c_x.unbind(1), w.unbind(1), strict=True):
            d = x - spread(c_i, x)
            phi = _common_factor(d, k).mul_(d)
            if k % 2 == 0:
                phi *= _log(d)
            y += phi.mul_(spread(w_i, x))
        return y

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
        *tensors, ctx.k = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        if reference.is_second_order():
            plain = partial(reference.evaluate, k=ctx.k)
            return *reference.gradients(plain, ctx.saved_tensors, g), None
        return *_gradients(*ctx.saved_tensors, g, ctx.k), None


def _gradients(
    x: Tensor, c_x: Tensor, w: Tensor, v: Tensor, g: Tensor, k: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    A = c_x.shape[0]
    g_x = g * spread(v[:, 0], x)
    g_c, g_w = [], []
    for c_i, w_i in zip(c_x.unbind(1), w.unbind(1), strict=True):
        d = x - spread(c_i, x)
        gq = _common_factor(d, k).mul_(g)
        if k % 2:
            slope_sum = k * sum_by_function(gq, A)
            g_w.append(sum_by_function(d.mul_(gq), A))
            g_x += gq.mul_(spread(k * w_i, x))
        else:
            L = _log(d)
            g_w.append(sum_by_function(d.mul_(gq).mul_(L), A))
            gq *= L.mul_(k).add_(1)
            slope_sum = sum_by_function(gq, A)
            g_x += gq.mul_(spread(w_i, x))
        g_c.append(-w_i * slope_sum)
    g_v = torch.stack([sum_by_function(g * x, A), sum_by_function(g, A)], dim=1)
    return g_x, torch.stack(g_c, dim=1), torch.stack(g_w, dim=1), g_v


def _common_factor(d: Tensor, k: int) -> Tensor:
    """q(d), in a new tensor."""
    if k == 1:
        return torch.sign(d)
    if k % 2:
        return torch.abs(d).mul_(power(d, k - 2))
    return d.clone() if k == 2 else power(d, k - 1)


def _log(d: Tensor) -> Tensor:
    """The log of |d|, finite at d = 0, where every use of it is multiplied by 0."""
    return torch.abs(d).clamp_min_(torch.finfo(d.dtype).tiny).log_()
