"""The time of a run, by what it was spent on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

Part = Literal["data", "setup", "train", "evaluation", "snapshot", "checkpoint"]


@dataclass
class Seconds:
    """Seconds of a run over all its attempts; none is in two parts.

    A run that is killed loses those since its last checkpoint.
    """

    data: float = 0.0
    """Loading the images."""
    setup: float = 0.0
    """Building network and optimizer, and restoring a checkpoint."""
    train: float = 0.0
    """Training alone, epochs that failed included."""
    evaluation: float = 0.0
    """After each epoch: validation, and the look for inputs that run away."""
    snapshot: float = 0.0
    """Snapshots of the activation functions."""
    checkpoint: float = 0.0
    """Writing checkpoints and the run's end."""

    def __post_init__(self) -> None:
        self._inside = [0.0]  # seconds of the blocks inside each block that is open

    @contextlib.contextmanager
    def on(self, part: Part) -> Iterator[None]:
        """Add the time that a block takes to a part, whether or not the block raises.

        The time of a block inside it is that block's alone.
        """
        started = time.perf_counter()
        self._inside.append(0.0)
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            setattr(self, part, getattr(self, part) + spent - self._inside.pop())
            self._inside[-1] += spent

    def add(self, other: Seconds) -> None:
        """Add another's seconds, part by part."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
