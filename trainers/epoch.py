"""One pass over the training images."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from polyneuron import JointSolve, SingularSystemError
from trainers.augment import Augmentation, Draws, Normaliser, draw_epoch
from trainers.config import RunConfig
from trainers.datasets import Images
from trainers.devices import synchronize
from trainers.divergence import (
    CHECK_EVERY,
    Diverged,
    SavedState,
    diagnose,
    first_nonfinite,
    nonfinite_parameter,
)
from trainers.step import Objective, gradient_norm


@dataclass(frozen=True)
class Training:
    """What a run trains with."""

    config: RunConfig
    device: torch.device
    net: nn.Module
    optimizer: torch.optim.Optimizer
    objective: Objective
    joint_solve: JointSolve
    images: Images
    normalise: Normaliser
    augmentation: Augmentation


@dataclass(frozen=True)
class EpochTotals:
    """What one epoch of training adds up to."""

    loss: float
    error_percent: float
    gradient_norm: float
    nonfinite_count: int
    images: int
    seconds: float


class TrainingPass:
    """The state of one epoch: its draws, and what each step left on the device."""

    def __init__(self, training: Training, epoch: int) -> None:
        self.training = training
        n = len(training.images.train_labels)
        recipe = training.config.recipe
        self.draws: Draws = draw_epoch(n, recipe, training.config.seed, epoch, training.device)
        batches = self.draws.order.split(recipe.batch_size)
        # A training set smaller than a batch is one batch, whatever drop_last says.
        partial = len(batches) > 1 and len(batches[-1]) < recipe.batch_size
        self.batches = batches[:-1] if recipe.drop_last and partial else batches
        self.losses = torch.zeros(len(self.batches), device=training.device)
        self.norms = torch.zeros_like(self.losses, dtype=torch.float64)
        self.correct = torch.zeros((), dtype=torch.int64, device=training.device)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the augmented images (B, C, H, W) and labels (B,) of a step, counted from 0."""
        chosen = self.batches[step]
        images = self.training.augmentation.batch(chosen, self.draws)
        if self.training.config.execution.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        return images, self.training.images.train_labels[chosen]

    def step(self, step: int) -> None:
        """Take a step and keep its loss, gradient norm and count on the device."""
        training = self.training
        images, labels = self.batch(step)
        with training.joint_solve:
            loss, cross_entropy, logits = training.objective(images, labels)
        training.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.losses[step] = cross_entropy.detach()
        self.norms[step] = gradient_norm(training.net)
        self.correct += (logits.argmax(1) == labels).sum()
        training.optimizer.step()

    def totals(self, seconds: float) -> EpochTotals:
        """Add up what the steps left."""
        sizes = torch.tensor([len(batch) for batch in self.batches], dtype=torch.float64)
        losses, norms = self.losses.double().cpu(), self.norms.cpu()
        n = sizes.sum()
        return EpochTotals(
            loss=float((losses * sizes).sum() / n),
            error_percent=float(100 * (1 - self.correct.cpu() / n)),
            gradient_norm=math.sqrt(float(norms.square().mean())),
            nonfinite_count=int((~(losses.isfinite() & norms.isfinite())).sum()),
            images=int(n),
            seconds=seconds,
        )


def train_epoch(training: Training, epoch: int) -> EpochTotals:
    """Train for one epoch, counted from 1.

    Raises:
        Diverged: the loss or a parameter is not finite, or a system is singular. The network is
            left as it was before the step that failed.
    """
    started = time.perf_counter()
    training.net.train()
    now = TrainingPass(training, epoch)
    steps = len(now.batches)
    for start in range(0, steps, CHECK_EVERY):
        before = SavedState(training.net, training.optimizer)
        stop = min(start + CHECK_EVERY, steps)
        try:
            for step in range(start, stop):
                now.step(step)
        except SingularSystemError:
            raise _located(now, before, start, step) from None
        if _broken(now, start, stop):
            raise _located(now, before, start, stop - 1)
    synchronize(training.device)
    return now.totals(time.perf_counter() - started)


def _broken(now: TrainingPass, start: int, stop: int) -> bool:
    if first_nonfinite(now.losses[start:stop]) is not None:
        return True
    return nonfinite_parameter(now.training.net) is not None


def _retake(now: TrainingPass, before: SavedState, start: int, stop: int) -> None:
    before.restore(now.training.net, now.training.optimizer)
    for step in range(start, stop):
        now.step(step)


def _located(now: TrainingPass, before: SavedState, start: int, last: int) -> Diverged:
    """Take the steps since `start` again, up to the one that failed: `last` or an earlier one."""
    window = slice(start, last + 1)
    first = first_nonfinite(now.losses[window], now.norms[window])
    failed = last if first is None else start + first
    net, optimizer = now.training.net, now.training.optimizer
    _retake(now, before, start, failed)
    if nonfinite_parameter(net) is not None:
        # The loss shows it only now, but the update of the step before was the one that failed.
        failed -= 1
        _retake(now, before, start, failed)
    intact = SavedState(net, optimizer)
    images, labels = now.batch(failed)
    layer, cause = diagnose(net, optimizer, lambda: now.training.objective(images, labels)[0])
    intact.restore(net, optimizer)
    return Diverged(failed + 1, layer, cause)
