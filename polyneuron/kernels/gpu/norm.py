"""Batch norm, an optional residual and an activation in one operator.

y = f((z - mean) rstd weight + bias + residual). Forward: statistics of z, then y. Backward: the
sums that every gradient needs, then the gradient of z. Both read z (and the residual) again, so
that nothing more of z's size is kept.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

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
    evaluate,
    finish,
    launch,
    parametrised,
    partial_sums,
    sum_rows,
    tiled,
)


def norm_forward(
    z: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    eps: float,
    momentum: float,
    training: bool,
    function: str,
    parameters: Sequence[Tensor] = (),
    k: int = 0,
) -> tuple[Tensor, Tensor]:
    """Return y, in z's dtype and memory format, and the mean and rstd (2, C) that made it.

    Args:
        z: float32, bfloat16 or float16 (N, C, ...).
        residual: added to the normalised z; of z's shape.
        weight: the norm's (C,), float32 like every parameter.
        bias: the norm's (C,).
        running_mean: (C,), in training updated in place; None as in `torch.nn.BatchNorm2d`.
        running_var: (C,), likewise, with the unbiased variance.
        eps: added to the variance.
        momentum: share of the batch in the running statistics.
        training: normalise by z's own statistics.
        function: "radial", "hermite", "swish", "apl" or "relu".
        parameters: those of the function, with A = 1 or A = C rows.
        k: order of "radial".

    Raises:
        ValueError: the function is unknown, or the parameters do not fit z.
    """
    f = _fitting(parametrised(function, *parameters, k=k), z)
    packed, layout = dense(z, z.shape[1])
    if not z.numel():
        mean = weight.new_zeros(weight.shape, dtype=torch.float32)
        return torch.empty_like(z), torch.stack([mean, torch.ones_like(mean)])
    if training or running_mean is None or running_var is None:
        statistics = _statistics(packed, layout, running_mean, running_var, eps, momentum)
    else:
        statistics = torch.stack([running_mean.float(), torch.rsqrt(running_var.float() + eps)])
    front = _front(packed, residual, weight, bias, statistics)
    return in_order_of(z, evaluate(f, packed, layout, front)), statistics


def norm_backward(
    g: Tensor,
    z: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    statistics: Tensor,
    batch_statistics: bool,
    function: str,
    parameters: Sequence[Tensor] = (),
    k: int = 0,
) -> tuple[Tensor, Tensor | None, Tensor, Tensor, tuple[Tensor, ...]]:
    """Gradients of z, the residual, weight, bias, and the function's parameters.

    Args:
        g: gradient of y.
        z: as for `norm_forward`, like all that is not listed here.
        residual: as above.
        weight: as above.
        bias: as above.
        statistics: mean and rstd (2, C) as `norm_forward` returned them.
        batch_statistics: whether they are z's own, and so have gradients as well.
        function: as above.
        parameters: as above.
        k: as above.
    """
    f = _fitting(parametrised(function, *parameters, k=k), z)
    packed, layout = dense(z, z.shape[1])
    g_residual = None if residual is None else torch.empty_like(packed)
    if not z.numel():
        zeros = [torch.zeros_like(p, dtype=torch.float32) for p in (weight, bias, *f.parameters)]
        return torch.empty_like(z), g_residual, zeros[0], zeros[1], tuple(zeros[2:])
    front = _front(packed, residual, weight, bias, statistics)
    g = in_order_of(packed, g)
    partials, norm_partials = partial_sums(f, g, packed, layout, g_residual, front)
    g_bias, g_weight = torch.empty_like(statistics)
    sum_rows(norm_partials, store_sums, (g_bias, g_weight))
    g_parameters = finish(f, partials)
    g_z = torch.empty_like(packed)
    cut = plan(layout, 0, f.sums)
    launch(
        norm_gradient_kernel,
        cut.grid,
        g=g if g_residual is None else g_residual,
        g_x=g_z,
        by_bias=g_bias,
        by_weight=g_weight,
        GRADIENT=f.function.gradient,
        GRADIENT_OF_INPUT=g_residual is not None,
        BATCH=batch_statistics,
        **tiled(f, packed, layout, cut, front),
    )
    if g_residual is not None and residual is not None:
        g_residual = in_order_of(residual, g_residual)
    return in_order_of(z, g_z), g_residual, g_weight, g_bias, g_parameters


def _statistics(
    z: Tensor,
    layout: Layout,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    eps: float,
    momentum: float,
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
        running_mean=running_mean,
        running_var=running_var,
        n=layout.n,
        chunk=cut.tiles * cut.block_n,
        rows=cut.grid[0],
        A=layout.A,
        eps=eps,
        momentum=momentum,
        BLOCK_ROWS=block_rows,
        BLOCK_A=block_a,
    )
    return statistics


def _front(
    z: Tensor, residual: Tensor | None, weight: Tensor, bias: Tensor, statistics: Tensor
) -> Front:
    packed = None if residual is None else in_order_of(z, residual)
    mean, rstd = statistics
    return Front(mean, rstd, weight.float().contiguous(), bias.float().contiguous(), packed)


def _fitting(f: Parametrised, z: Tensor) -> Parametrised:
    if z.ndim < 2 or (f.parameters and f.parameters[0].shape[0] not in (1, z.shape[1])):
        rows = [tuple(parameter.shape) for parameter in f.parameters]
        raise ValueError(
            "expected z (N, C, ...) and parameters with 1 or C rows,"
            f" got {tuple(z.shape)} and {rows}"
        )
    return f
