"""One pass over the training images."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch

from polyneuron import SingularSystemError
from trainers.adam import norm
from trainers.augment import Draws, draw_epoch
from trainers.devices import synchronize
from trainers.divergence import (
    CHECK_EVERY,
    Diverged,
    SavedState,
    diagnose,
    first_nonfinite,
    nonfinite_parameter,
)
from trainers.graph import StepGraph
from trainers.pulse import PULSE
from trainers.stability import tail_at_fault
from trainers.step import Training, take_step


@dataclass(frozen=True)
class EpochTotals:
    """Sums and means over one epoch of training."""

    loss: float
    error_percent: float
    gradient_norm: float
    nonfinite_count: int
    images: int


class TrainingPass:
    """The state of one epoch: its draws, and the figures of its steps on the device.

    Args:
        training: the run's network, optimizer and images.
        epoch: counted from 1.
        graph: takes the steps; None takes each eagerly.
    """

    def __init__(self, training: Training, epoch: int, graph: StepGraph | None = None) -> None:
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

        self._take = functools.partial(take_step, training) if graph is None else graph.take
        if graph is not None:
            graph.begin(self.batches, self.draws)

    def step(self, step: int) -> None:
        """Take a step, counted from 0, and keep its figures on the device."""
        figures = self._take(self.batches[step], self.draws)
        self.losses[step] = figures.cross_entropy
        self.norms[step] = figures.gradient_norm
        self.correct += figures.correct
        PULSE.steps += 1

    def totals(self) -> EpochTotals:
        """Add up the figures of all steps, waiting for the device."""
        sizes = torch.tensor([len(batch) for batch in self.batches], dtype=torch.float64)
        losses, norms = self.losses.double().cpu(), self.norms.cpu()
        n = sizes.sum()
        return EpochTotals(
            loss=float((losses * sizes).sum() / n),
            error_percent=float(100 * (1 - self.correct.cpu() / n)),
            gradient_norm=math.sqrt(float(norms.square().mean())),
            nonfinite_count=int((~(losses.isfinite() & norms.isfinite())).sum()),
            images=int(n),
        )


def train_epoch(training: Training, epoch: int, graph: StepGraph | None = None) -> EpochTotals:
    """Train for one epoch, counted from 1, by `graph` if there is one.

    Raises:
        Diverged: the loss or a parameter is not finite, or a system is singular. The network is
            left as it was before the step that failed.
    """
    training.net.train()
    now = TrainingPass(training, epoch, graph)
    steps = len(now.batches)
    # A look at the losses waits for the device: replayed steps are looked at once, at the end.
    every = CHECK_EVERY if graph is None else steps
    for start in range(0, steps, every):
        before = SavedState(training.net, training.optimizer)
        stop = min(start + every, steps)
        try:
            for step in range(start, stop):
                now.step(step)
        except SingularSystemError:
            raise _located(now, before, start, step) from None
        if _broken(now, start, stop):
            raise _located(now, before, start, stop - 1)
    synchronize(training.device)
    return now.totals()


def _broken(now: TrainingPass, start: int, stop: int) -> bool:
    if first_nonfinite(now.losses[start:stop]) is not None:
        return True
    # The last update comes after the last loss.
    net = now.training.net
    parameters = [*net.parameters()]
    if any(parameter.dtype is not torch.float32 for parameter in parameters):
        return nonfinite_parameter(net) is not None
    with torch.no_grad():  # one norm in place of a question to each
        return not bool(norm(parameters).isfinite())


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
        # The loss shows the failure only now, but the update one step earlier caused it.
        failed -= 1
        _retake(now, before, start, failed)
    intact = SavedState(net, optimizer)
    images, labels = now.training.batch(now.batches[failed], now.draws)
    tail = tail_at_fault(net, lambda: net(images))
    intact.restore(net, optimizer)
    layer, cause = diagnose(net, optimizer, lambda: now.training.objective.loss(images, labels))
    intact.restore(net, optimizer)
    return Diverged(failed + 1, layer, cause, tail)
