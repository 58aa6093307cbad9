"""One training step: batch, loss (eq. 4), gradient, update."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from polyneuron import JointSolve
from polyneuron.penalties import (
    PenalisedActivation,
    add_penalty_gradients,
    penalised_layers,
    product_penalty,
    sum_penalty,
)
from trainers.adam import Adam, norm
from trainers.augment import Augmentation, Draws, Normaliser
from trainers.config import RunConfig
from trainers.cross_entropy import descent, pull_back
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

    def logits(self, images: Tensor) -> Tensor:
        """Return the network's logits (B, classes) of images (B, C, H, W), float32."""
        with precision(self.recipe, images.device):
            logits: Tensor = self.net(images).float()
        return logits

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the loss to descend."""
        entropy, penalty = self._cross_entropy(self.logits(images), labels), self._penalty()
        return entropy if penalty is None else entropy + penalty

    def descend(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Leave the loss's gradients in the parameters, which have none before.

        Returns:
            Cross-entropy and the number of correct images, 0-dim on the device.
        """
        # Smoothed in training alone: in validation the loss is that of the labels.
        found = descent(logits, labels, self.recipe.label_smoothing)
        if found is None:
            entropy, penalty = self._cross_entropy(logits, labels), self._penalty()
            (entropy if penalty is None else entropy + penalty).backward()
            return entropy.detach(), (logits.argmax(1) == labels).sum()
        pull_back(logits, found.gradient)
        strengths = self.recipe.lambda_sum, self.recipe.lambda_prod
        if self.penalised and not add_penalty_gradients(self.penalised, *strengths):
            penalty = self._penalty()
            assert penalty is not None
            penalty.backward()
        return found.loss, found.correct

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)

    def _penalty(self) -> Tensor | None:
        if not self.penalised:
            return None
        penalty = self.lambda_sum * sum_penalty(self.penalised)
        # Not simply added: 0 times an infinite mean is not a number.
        if self.recipe.lambda_prod > 0:
            penalty = penalty + self.lambda_prod * product_penalty(self.penalised)
        return penalty


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
        logits = training.objective.logits(images)
    parameters = [p for group in training.optimizer.param_groups for p in group["params"]]
    # No gradient at all in place of zeros: the backward pass then writes it, and adds nothing.
    for parameter in parameters:
        parameter.grad = None
    entropy, correct = training.objective.descend(logits, labels)
    gradients = [p.grad for p in parameters if p.grad is not None]
    length = norm(gradients)
    if training.config.recipe.clip_gradient is not None:
        _shorten(gradients, length, training.config.recipe.clip_gradient)
    optimizer = training.optimizer
    # Not by `step`, in which torch looks for profilers and hooks: tens of microseconds.
    if not (isinstance(optimizer, Adam) and optimizer.update()):
        optimizer.step()
    return Figures(entropy, length, correct)


def _shorten(gradients: list[Tensor], length: Tensor, limit: float) -> None:
    """Scale gradients in place, so that their common norm is at most the limit."""
    # Not read by the host: that would wait for the device.
    factor = (limit / length).clamp(max=1.0).to(gradients[0])
    torch._foreach_mul_(gradients, factor)


def precision(recipe: Recipe, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context in which the network computes: autocast to bfloat16, or nothing."""
    if recipe.precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
