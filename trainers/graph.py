"""A training step as one CUDA graph: hundreds of kernels are started by a single launch.

A replay reads and writes the memory that the captured step had. The chosen images and the epoch's
draws are therefore copied into buffers, rates and penalties are tensors of the optimizer and the
objective, and `SavedState.restore` writes into the tensors that are there.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from polyneuron import SingularSystemError
from trainers import devices
from trainers.augment import Draws
from trainers.divergence import SavedState
from trainers.step import Figures, Training, take_step

COMPARED_STEPS = 3
"""Steps taken eagerly, as a warm-up that capturing needs, and again by the graph, to compare."""


class GraphWarning(UserWarning):
    """Training steps on a GPU run without a graph, which is slower."""


class StepGraph:
    """Takes the steps of a run by replaying one step, captured at the first use.

    An epoch's last step is taken eagerly if its batch is smaller. All steps are taken eagerly if
    the capture fails, or if replays and eager steps from the same state differ.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self._tried = False
        self._replay: Callable[[], None] | None = None
        self._first: Sequence[Tensor] = ()

    @classmethod
    def of(cls, training: Training) -> StepGraph | None:
        """Return a graph for a run, or None if its device or its optimizer has none."""
        captured = devices.captures_steps(training.device)
        # A rate that is a number would be captured with the step, and SGD knows no other.
        adam = training.config.recipe.optimizer != "sgd"
        return cls(training) if captured and adam else None

    def begin(self, batches: Sequence[Tensor], draws: Draws) -> None:
        """Put an epoch's draws where replays read them.

        Args:
            batches: the images (B,) of each step; only the last may have fewer.
            draws: for the same training set in every epoch.
        """
        if not self._tried:
            self._first = [
                batch for batch in batches[:COMPARED_STEPS] if len(batch) == len(batches[0])
            ]
            self._chosen = self._first[0].clone()
            self._draws = Draws(draws.order, draws.offset.clone(), draws.flip.clone())
        elif self._replay is not None:
            self._draws.offset.copy_(draws.offset)
            self._draws.flip.copy_(draws.flip)

    def take(self, chosen: Tensor, draws: Draws) -> Figures:
        """Take a step as `take_step` does; the figures are overwritten by the next step."""
        if not self._tried:
            self._tried = True
            self._capture()
        if self._replay is None or len(chosen) != len(self._chosen):
            return take_step(self.training, chosen, draws)
        self._chosen.copy_(chosen)
        self._replay()
        return self._figures

    def _capture(self) -> None:
        """Capture a step and compare its replays with eager steps; leave the run as it was."""
        training = self.training
        start = SavedState(training.net, training.optimizer)
        before = weights_and_statistics(training)
        try:
            with beside(training.device):
                eager = self._effect(self._eagerly)
            start.restore(training.net, training.optimizer)
            replay, self._figures = captured(self._eagerly, training.device)
            if agree(before, eager, self._effect(functools.partial(self._replayed, replay))):
                self._replay = replay
            elif eager.figures.isfinite().all():  # no word on a run that diverges at once
                warn_of_eager_steps("replayed steps differ from eager ones")
        except SingularSystemError:
            pass  # the run's own first steps meet it again, and locate the layer
        # CUDA, its libraries and Triton each raise errors of their own while capturing.
        except Exception as error:
            warn_of_eager_steps(devices.first_line(error))
        finally:
            # The captured gradients lie in the graph's memory, which replays overwrite.
            training.optimizer.zero_grad(set_to_none=True)
            start.restore(training.net, training.optimizer)

    def _eagerly(self) -> Figures:
        return take_step(self.training, self._chosen, self._draws)

    def _replayed(self, replay: Callable[[], None]) -> Figures:
        replay()
        return self._figures

    def _effect(self, take: Callable[[], Figures]) -> Effect:
        figures = []
        for batch in self._first:
            self._chosen.copy_(batch)
            figures.append(torch.stack([figure.double() for figure in take()]))
        return Effect(torch.stack(figures), *weights_and_statistics(self.training))


class Effect(NamedTuple):
    """Figures of some steps and the network's state after them, in float64."""

    figures: Tensor
    """(steps, 3): a row of `Figures` a step."""
    weights: Tensor
    """(n,) all parameters, one after the other."""
    statistics: Tensor
    """(m,) all floating-point buffers: running means and variances."""


def weights_and_statistics(training: Training) -> tuple[Tensor, Tensor]:
    """Return the network's parameters (n,) and floating-point buffers (m,)."""
    statistics = [buffer for buffer in training.net.buffers() if buffer.is_floating_point()]
    return _vector(training.net.parameters()), _vector(statistics)


def _vector(tensors: Iterable[Tensor]) -> Tensor:
    parts = [tensor.detach().double().flatten() for tensor in tensors]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)


def agree(before: tuple[Tensor, Tensor], eager: Effect, replayed: Effect) -> bool:
    """Return True if eager and replayed steps from the same state do the same, up to rounding.

    Loss and gradient norm may differ by 1 %, the number of correct images by 2, changes of the
    network by 5 % of their length: Adam's first updates are as long as the rate allows, even along
    a gradient that is nothing but rounding.
    """
    allowed = eager.figures.abs() * eager.figures.new_tensor([1e-2, 1e-2, 0.0])
    allowed = allowed + eager.figures.new_tensor([0.0, 0.0, 2.0])
    if not bool(((replayed.figures - eager.figures).abs() <= allowed).all()):
        return False
    return all(
        bool((found - expected).norm() <= 0.05 * (expected - start).norm())
        for start, expected, found in zip(before, eager[1:], replayed[1:], strict=True)
    )


def captured(
    take: Callable[[], Figures], device: torch.device
) -> tuple[Callable[[], None], Figures]:
    """Capture a step without taking it; return its replay, and the tensors of its figures."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device), torch.cuda.graph(graph):
        figures = take()
    return graph.replay, figures


@contextlib.contextmanager
def beside(device: torch.device) -> Iterator[None]:
    """Run on a stream of its own, as torch requires of the steps before a capture."""
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device):
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        try:
            with torch.cuda.stream(stream):
                yield
        finally:
            current.wait_stream(stream)


@functools.cache
def warn_of_eager_steps(reason: str) -> None:
    """Warn that steps are not replayed, once for each reason."""
    warnings.warn(
        f"training steps run without a CUDA graph, more slowly: {reason}",
        GraphWarning,
        stacklevel=2,
    )
