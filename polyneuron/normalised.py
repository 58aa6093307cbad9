"""Batch norm, residual and activation: three modules of a network, computed as one."""

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.hooks import has_hooks
from polyneuron.kernels.backend import BatchNorm
from polyneuron.kernels.norm import fused_backend, normalise_and_apply


def normalised_activation(
    norm: nn.BatchNorm2d, activation: nn.Module, z: Tensor, residual: Tensor | None = None
) -> Tensor:
    """Compute `activation(norm(z) + residual)`, in one pass where a kernel exists.

    Values, gradients and running statistics are those of the modules called one by one, up to
    rounding. Modules with hooks are called one by one, so that the hooks run.

    Args:
        norm: the batch norm of z's channels.
        activation: applied to the sum.
        z: (N, C, H, W).
        residual: what is added to the normalised values, of z's shape.
    """
    if isinstance(activation, Activation) and not has_hooks(norm) and not has_hooks(activation):
        y = _in_one(norm, activation, z, residual)
        if y is not None:
            return y
    u = norm(z)
    y = activation(u if residual is None else u + residual)
    assert isinstance(y, Tensor)
    return y


def _in_one(
    norm: nn.BatchNorm2d, activation: Activation, z: Tensor, residual: Tensor | None
) -> Tensor | None:
    # A subclass may compute something else; without a momentum torch keeps a cumulative average.
    if type(norm) is not nn.BatchNorm2d or not norm.affine or norm.momentum is None:
        return None
    mean, variance, weight = norm.running_mean, norm.running_var, norm.weight
    if mean is None or variance is None or weight.dtype != torch.float32:
        return None
    kernel = activation.kernel()
    if kernel is None:
        return None
    function, parameters = kernel
    backend = fused_backend(function, z, residual, parameters, norm.training)
    if backend is None:
        return None
    # The module is not called: what its `forward` counts is counted here.
    if norm.training and norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    running = mean, variance
    state = BatchNorm(weight, norm.bias, running, norm.momentum, norm.eps, norm.training)
    return normalise_and_apply(backend, function, z, residual, state, parameters)
