"""The two regularisation terms of Eq. 4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

import torch
from torch import Tensor, nn

from polyneuron.activations import activation_modules
from polyneuron.kernels.penalties import add_gradients, mean_of_sums

if TYPE_CHECKING:
    from jaxtyping import Float


class PenalisedActivation(Protocol):
    """An activation whose class says `penalised`, by the two parameters (A, s) of Eq. 4."""

    w: nn.Parameter
    c_x: nn.Parameter


def penalties(module: nn.Module) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Compute the means of |sum_i w_i| and |sum_i w_i c_i| over all penalised functions.

    Penalised are the functions of PolyNeuronR and of every other activation that says so. Their
    layers may differ in scope, s and k; A counts the functions of all of them. Both means are
    float32 whatever the parameters' dtype: half precision rounds away sums that nearly cancel.

    >>> from polyneuron import PolyNeuronR
    >>> [mean.item() for mean in penalties(PolyNeuronR())]  # the start solves Eq. 2
    [0.0, 0.0]

    Args:
        module: a network.

    Returns:
        (sum, prod), differentiable; both 0 for a network without penalised functions. The loss of
        Eq. 4 adds lambda_sum * sum + lambda_prod * prod, once per step.
    """
    layers = penalised_layers(module)
    if not layers:
        zero = next(module.parameters(), torch.zeros(())).new_zeros(())
        return zero, zero.clone()
    return penalties_of(layers)


def penalised_layers(module: nn.Module) -> list[PenalisedActivation]:
    """Return the penalised layers of a network, for `penalties_of` at every step.

    The search walks through all modules of a network, so a training loop does it once.
    """
    layers = (layer for _, layer in activation_modules(module) if layer.penalised)
    return [cast(PenalisedActivation, layer) for layer in layers]


def penalties_of(
    layers: Sequence[PenalisedActivation],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Compute the penalties of these layers, of which there is at least one.

    Returns:
        As `penalties`.
    """
    return sum_penalty(layers), product_penalty(layers)


def sum_penalty(layers: Sequence[PenalisedActivation]) -> Float[Tensor, ""]:
    """Compute the mean of |sum_i w_i| over the functions of layers, of which there is one."""
    return mean_of_sums([layer.w for layer in layers])


def product_penalty(layers: Sequence[PenalisedActivation]) -> Float[Tensor, ""]:
    """Compute the mean of |sum_i w_i c_i| over the functions of layers, of which there is one."""
    return mean_of_sums([layer.w for layer in layers], [layer.c_x for layer in layers])


def add_penalty_gradients(
    layers: Sequence[PenalisedActivation], lambda_sum: float, lambda_prod: float
) -> bool:
    """Add the gradients of Eq. 4's two terms to those that the layers' parameters have.

    Returns:
        False, and no gradient has changed, where compiled code cannot do it: add the penalties to
        the loss instead.
    """
    w, c_x = [layer.w for layer in layers], [layer.c_x for layer in layers]
    if lambda_prod > 0 and not add_gradients(lambda_prod, w, c_x):
        return False
    return lambda_sum <= 0 or add_gradients(lambda_sum, w)
