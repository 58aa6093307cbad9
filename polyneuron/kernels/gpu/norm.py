"""Batch norm, an optional residual and an activation in one operator.

y = f((z - mean) rstd weight + bias + residual), rstd = 1 / standard deviation. Forward: statistics
of z, then y. Backward: the sums that every gradient needs, then the gradient of z. Both read z (and
the residual) again, so that nothing more of z's size is kept.
"""

import torch
from torch import Tensor

from polyneuron.kernels.backend import BatchNorm, Normalised
from polyneuron.kernels.gpu.launching import launch
from polyneuron.kernels.gpu.layout import (
    Layout,
    constants,
    dense,
    in_order_of,
    plan,
    summing_blocks,
)
from polyneuron.kernels.gpu.moments import (
    merge_kernel,
    moments_kernel,
    norm_gradient_kernel,
    store_sums,
)
from polyneuron.kernels.gpu.passes import (
    Front,
    Parametrised,
    finish,
    function_values,
    parametrised,
    partial_sums,
    sum_rows,
    tiled,
)


def norm_forward(of: Normalised) -> tuple[Tensor, Tensor, bool]:
    """See `Backend.norm_forward`; the statistics are mean and rstd.

    Raises:
        ValueError: the parameters do not fit z.
    """
    f, z, norm = _fitting(of), of.z, of.norm
    packed, layout = dense(z, z.shape[1])
    if not z.numel():
        mean = norm.weight.new_zeros(norm.weight.shape, dtype=torch.float32)
        return torch.empty_like(z), torch.stack([mean, torch.ones_like(mean)]), True
    if norm.running is None or norm.training:
        statistics = _statistics(packed, layout, norm, norm.running or (None, None))
    else:
        mean, variance = norm.running
        statistics = torch.stack([mean.float(), torch.rsqrt(variance.float() + norm.eps)])
    front = _front(packed, of, statistics)
    return in_order_of(z, function_values(f, packed, layout, front)), statistics, True


def norm_backward(of: Normalised, g: Tensor, statistics: Tensor) -> tuple[Tensor | None, ...]:
    """See `Backend.norm_backward`."""
    f, z, norm = _fitting(of), of.z, of.norm
    packed, layout = dense(z, z.shape[1])
    g_residual = None if of.residual is None else torch.empty_like(packed)
    if not z.numel():
        rows = (norm.weight, norm.bias, *of.parameters)
        zeros = [torch.zeros_like(row, dtype=torch.float32) for row in rows]
        return torch.empty_like(z), g_residual, *zeros
    front = _front(packed, of, statistics)
    g = in_order_of(packed, g)  # once for both kernels that read it
    partials, norm_partials = partial_sums(f, g, packed, layout, g_residual, front)
    g_bias, g_weight = torch.empty_like(statistics)
    sum_rows(norm_partials, store_sums, (g_bias, g_weight))
    by_parameters = finish(f, partials)
    g_z = torch.empty_like(packed)
    cut = plan(layout, 0, f.sums)
    launch(
        norm_gradient_kernel,
        cut.grid,
        # dL/du is in memory where a residual needed it; else it is computed again, in registers.
        g=g if g_residual is None else g_residual,
        g_x=g_z,
        by_bias=g_bias,
        by_weight=g_weight,
        GRADIENT=f.device.gradient,
        GRADIENT_OF_INPUT=g_residual is not None,
        BATCH=norm.by_batch,
        **tiled(f, packed, layout, cut, front),
    )
    if g_residual is not None and of.residual is not None:
        g_residual = in_order_of(of.residual, g_residual)
    return in_order_of(z, g_z), g_residual, g_weight, g_bias, *by_parameters


def norm_variance(norm: BatchNorm, statistics: Tensor) -> Tensor:
    """See `Backend.norm_variance`."""
    return statistics[1].pow(-2) - norm.eps


def _statistics(
    z: Tensor, layout: Layout, norm: BatchNorm, running: tuple[Tensor | None, Tensor | None]
) -> Tensor:
    cut = plan(layout, 2, 0)
    partials = z.new_empty((2, cut.grid[0], layout.A), dtype=torch.float32)
    launch(
        moments_kernel,
        cut.grid,
        x=z,
        partials=partials,
        n=layout.n,
        A=layout.A,
        tiles=cut.tiles,
        **constants(layout, cut),
    )
    statistics = z.new_empty((2, layout.A), dtype=torch.float32)
    mean, rstd = statistics
    block_rows, block_a = summing_blocks(cut.grid[0], layout.A, sums=2)
    launch(
        merge_kernel,
        (-(-layout.A // block_a),),
        partials=partials,
        mean=mean,
        rstd=rstd,
        running_mean=running[0],
        running_var=running[1],
        n=layout.n,
        chunk=cut.tiles * cut.block_n,
        rows=cut.grid[0],
        A=layout.A,
        eps=norm.eps,
        momentum=norm.momentum,
        BLOCK_ROWS=block_rows,
        BLOCK_A=block_a,
    )
    return statistics


def _front(z: Tensor, of: Normalised, statistics: Tensor) -> Front:
    residual = None if of.residual is None else in_order_of(z, of.residual)
    affine = of.norm.weight.float().contiguous(), of.norm.bias.float().contiguous()
    return Front((*statistics, *affine), residual)


def _fitting(of: Normalised) -> Parametrised:
    f, z = parametrised(of.function, of.parameters), of.z
    if z.ndim < 2 or (f.parameters and f.parameters[0].shape[0] not in (1, z.shape[1])):
        rows = [tuple(parameter.shape) for parameter in f.parameters]
        raise ValueError(
            "expected z (N, C, ...) and parameters with 1 or C rows,"
            f" got {tuple(z.shape)} and {rows}"
        )
    return f
