"""One training step: loss (eq. 4), gradient, update."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from polyneuron import penalties
from trainers.config import Recipe


@dataclass(frozen=True)
class Objective:
    """Cross-entropy plus eq. 4's penalties."""

    net: nn.Module
    recipe: Recipe
    penalised: bool
    """Whether the network has anything to penalise: looking for it costs time in each step."""

    @classmethod
    def of(cls, net: nn.Module, recipe: Recipe) -> Objective:
        """Make the objective of `net`."""
        wanted = recipe.lambda_sum > 0 or recipe.lambda_prod > 0
        return cls(net, recipe, wanted and penalties(net)[0].requires_grad)

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss to descend, its cross-entropy alone, and the logits (B, classes)."""
        with precision(self.recipe, images.device):
            logits = self.net(images).float()
        cross_entropy = F.cross_entropy(logits, labels)
        if not self.penalised:
            return cross_entropy, cross_entropy, logits
        sums, products = penalties(self.net)
        penalty = self.recipe.lambda_sum * sums + self.recipe.lambda_prod * products
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
