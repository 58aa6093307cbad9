"""Batch norm, residual and activation: three modules of a network, computed as one."""

import torch
from torch import Tensor, nn

from polyneuron.activations.activation import Activation
from polyneuron.kernels.cpu import BatchNorm
from polyneuron.kernels.norm import normalise_and_apply, supported


def normalised_activation(
    norm: nn.BatchNorm2d, activation: nn.Module, z: Tensor, residual: Tensor | None = None
) -> Tensor:
    """Compute `activation(norm(z) + residual)`, in one pass where there is a kernel for it.

    Values, gradients and running statistics are those of the modules called one by one, up to
    rounding; a module with hooks is called, so that they see it.

    Args:
        norm: the batch norm of z's channels.
        activation: applied to the sum.
        z: (N, C, H, W).
        residual: what is added to the normalised values, of z's shape.
    """
    if isinstance(activation, Activation) and not _has_hooks(norm) and not _has_hooks(activation):
        y = _in_one(norm, activation, z, residual)
        if y is not None:
            return y
    u = norm(z)
    y = activation(u if residual is None else u + residual)
    assert isinstance(y, Tensor)
    return y


def _has_hooks(module: nn.Module) -> bool:
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
    return any(hooks)


def _in_one(
    norm: nn.BatchNorm2d, activation: Activation, z: Tensor, residual: Tensor | None
) -> Tensor | None:
    mean, variance = norm.running_mean, norm.running_var
    if type(norm) is not nn.BatchNorm2d or not norm.affine or norm.momentum is None:
        return None
    if mean is None or variance is None or norm.weight.dtype != torch.float32:
        return None
    kernel = activation.kernel()
    if kernel is None or not supported(kernel[0], z, kernel[1]):
        return None
    state = BatchNorm(norm.weight, norm.bias, mean, variance, norm.eps, norm.training)
    y, mean, variance = normalise_and_apply(kernel[0], z, residual, state, kernel[1])
    if norm.training:
        _track(norm, mean, variance, z.numel() // z.shape[1])
    return y


@torch.no_grad()
def _track(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, n: int) -> None:
    """Take a batch of n values a channel into the running statistics, as torch does."""
    momentum = norm.momentum
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert momentum is not None
    norm.running_mean.lerp_(mean, momentum)
    # The running variance is the unbiased one, the one that normalises is not.
    norm.running_var.lerp_(variance * (n / (n - 1)), momentum)
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
