"""One training step: loss (eq. 4), gradient, update."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from polyneuron import PolyNeuronR
from polyneuron.penalties import penalised_layers, penalties_of
from trainers.config import Recipe


@dataclass(frozen=True)
class Objective:
    """Cross-entropy plus eq. 4's penalties."""

    net: nn.Module
    recipe: Recipe
    penalised: tuple[PolyNeuronR, ...]
    """The layers to penalise: looking for them costs time in each step."""

    @classmethod
    def of(cls, net: nn.Module, recipe: Recipe) -> Objective:
        """Make the objective of `net`."""
        wanted = recipe.lambda_sum > 0 or recipe.lambda_prod > 0
        return cls(net, recipe, tuple(penalised_layers(net)) if wanted else ())

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss to descend, its cross-entropy alone, and the logits (B, classes)."""
        with precision(self.recipe, images.device):
            logits = self.net(images).float()
        cross_entropy = F.cross_entropy(logits, labels)
        if not self.penalised:
            return cross_entropy, cross_entropy, logits
        sums, products = penalties_of(self.penalised)
        penalty = self.recipe.lambda_sum * sums
        if self.recipe.lambda_prod > 0:
            penalty = penalty + self.recipe.lambda_prod * products
        return cross_entropy + penalty, cross_entropy, logits


def precision(recipe: Recipe, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context in which the network computes: autocast to bfloat16, or nothing."""
    if recipe.precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def gradient_norm(net: nn.Module) -> Tensor:
    """Return the L2 norm of all gradients, 0-dim, on the device.

    In float64, where squares of float32 do not overflow: it is finite if every gradient is.
    """
    gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    norms = torch._foreach_norm(gradients, 2, dtype=torch.float64)
    return torch.linalg.vector_norm(torch.stack(norms))
