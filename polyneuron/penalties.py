"""The two regularisation terms of Eq. 4."""

from collections.abc import Sequence

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
    layers = penalised_layers(module)
    if not layers:
        zero = next(module.parameters(), torch.zeros(())).new_zeros(())
        return zero, zero.clone()
    return penalties_of(layers)


def penalised_layers(module: nn.Module) -> list[PolyNeuronR]:
    """The layers of a network that `penalties` is about; they are looked for once a run."""
    return [child for child in module.modules() if isinstance(child, PolyNeuronR)]


def penalties_of(layers: Sequence[PolyNeuronR]) -> tuple[Tensor, Tensor]:
    """As `penalties`, for these layers, of which there is at least one."""
    by_s: dict[int, list[PolyNeuronR]] = {}
    for layer in layers:
        by_s.setdefault(layer.s, []).append(layer)
    sums, products = [], []
    for group in by_s.values():
        w = torch.cat([layer.w for layer in group]).float()
        c_x = torch.cat([layer.c_x for layer in group]).float()
        sums.append(w.sum(1).abs())
        products.append((w * c_x).sum(1).abs())
    return torch.cat(sums).mean(), torch.cat(products).mean()
