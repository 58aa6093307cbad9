"""One training step: batch, loss (eq. 4), gradient, update."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from polyneuron import JointSolve
from polyneuron.penalties import (
    PenalisedActivation,
    penalised_layers,
    product_penalty,
    sum_penalty,
)
from trainers.adam import gradient_norm
from trainers.augment import Augmentation, Draws, Normaliser
from trainers.config import RunConfig
from trainers.cross_entropy import cross_entropy
from trainers.data.datasets import Images
from trainers.recipe import Recipe


@dataclass(frozen=True)
class Objective:
    """Cross-entropy plus eq. 4's penalties."""

    net: nn.Module
    recipe: Recipe
    penalised: tuple[PenalisedActivation, ...]
    """The layers to penalise, found once: a search in each step would cost time."""
    lambda_sum: Tensor
    lambda_prod: Tensor
    """Both λ are 0-dim on the network's device, where a captured step reads them at each replay."""

    @classmethod
    def of(cls, net: nn.Module, recipe: Recipe) -> Objective:
        """Make the objective of `net`."""
        wanted = recipe.lambda_sum > 0 or recipe.lambda_prod > 0
        weight = next(net.parameters()).new_tensor
        return cls(
            net=net,
            recipe=recipe,
            penalised=tuple(penalised_layers(net)) if wanted else (),
            lambda_sum=weight(recipe.lambda_sum),
            lambda_prod=weight(recipe.lambda_prod),
        )

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss to descend, its cross-entropy alone, and the number of correct images."""
        with precision(self.recipe, images.device):
            logits = self.net(images).float()
        # Smoothed in training alone: in validation the loss is that of the labels.
        entropy, correct = cross_entropy(logits, labels, self.recipe.label_smoothing)
        if not self.penalised:
            return entropy, entropy, correct
        penalty = self.lambda_sum * sum_penalty(self.penalised)
        # Not simply added: 0 times an infinite mean is not a number.
        if self.recipe.lambda_prod > 0:
            penalty = penalty + self.lambda_prod * product_penalty(self.penalised)
        return entropy + penalty, entropy, correct


@dataclass(frozen=True)
class Training:
    """A run's network, optimizer, objective and images."""

    config: RunConfig
    device: torch.device
    net: nn.Module
    optimizer: torch.optim.Optimizer
    objective: Objective
    joint_solve: JointSolve
    images: Images
    normalise: Normaliser
    augmentation: Augmentation

    def batch(self, chosen: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return the augmented images (B, C, H, W) and labels (B,) of the `chosen` (B,)."""
        last = self.config.execution.channels_last
        memory_format = torch.channels_last if last else torch.contiguous_format
        images = self.augmentation.batch(chosen, draws, memory_format)
        return images, self.images.train_labels[chosen]


class Figures(NamedTuple):
    """Figures of one step, each 0-dim on the device."""

    cross_entropy: Tensor
    gradient_norm: Tensor
    correct: Tensor
    """Number of the batch's images that were classified correctly before the update."""


def take_step(training: Training, chosen: Tensor, draws: Draws) -> Figures:
    """Train on the images `chosen` (B,), without waiting for the device."""
    images, labels = training.batch(chosen, draws)
    # The network's splines are solved for together, without waiting for a GPU.
    with training.joint_solve:
        loss, entropy, correct = training.objective(images, labels)
    # No gradient at all in place of zeros: the backward pass then writes it, and adds nothing.
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    parameters = (p for group in training.optimizer.param_groups for p in group["params"])
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = gradient_norm(gradients)
    if training.config.recipe.clip_gradient is not None:
        _shorten(gradients, norm, training.config.recipe.clip_gradient)
    figures = Figures(entropy.detach(), norm, correct)
    training.optimizer.step()
    return figures


def _shorten(gradients: list[Tensor], norm: Tensor, limit: float) -> None:
    """Scale gradients in place, so that their common norm is at most the limit."""
    # Not read by the host: that would wait for the device.
    factor = (limit / norm).clamp(max=1.0).to(gradients[0])
    torch._foreach_mul_(gradients, factor)


def precision(recipe: Recipe, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context in which the network computes: autocast to bfloat16, or nothing."""
    if recipe.precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
