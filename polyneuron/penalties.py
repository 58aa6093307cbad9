"""The two regularisation terms of Eq. 4."""

import torch
from torch import Tensor, nn

from polyneuron.activations.polyneuron_r import PolyNeuronR


def penalties(module: nn.Module) -> tuple[Tensor, Tensor]:
    """Means over all A PolyNeuronR functions of a network of |sum_i w_i| and |sum_i w_i c_i|.

    Args:
        module: a network; its PolyNeuronR layers may differ in scope, s and k.

    Returns:
        (sum, prod), 0-dim and differentiable; both 0 for a network without PolyNeuronR. The loss
        of Eq. 4 adds lambda_sum * sum + lambda_prod * prod, once a step.
    """
    layers = [m for m in module.modules() if isinstance(m, PolyNeuronR)]
    if not layers:
        zero = next(module.parameters(), torch.zeros(())).new_zeros(())
        return zero, zero.clone()
    sums = torch.cat([layer.w.float().sum(1).abs() for layer in layers])
    products = torch.cat([(layer.w * layer.c_x).float().sum(1).abs() for layer in layers])
    return sums.mean(), products.mean()
