"""The statuses of runs and trials, and what follows from each."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import numpy as np


class Status(StrEnum):
    """The status of a run or a trial; equal to the text that a table has."""

    COMPLETED = "completed"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    ERROR = "error"
    INTERRUPTED = "interrupted"
    RUNNING = "running"

    @property
    def ended(self) -> bool:
        """True of every status but `running`: no worker trains the run any more."""
        return self is not Status.RUNNING

    @property
    def final(self) -> bool:
        """True where another attempt in the same sweep would only repeat the outcome."""
        return self in (Status.COMPLETED, Status.PRUNED, Status.DIVERGED)

    @property
    def reproducible(self) -> bool:
        """True where the code, the data, the configuration and the seed decide the outcome.

        Another sweep may take such a run over. Pruning depends on the trials beside it.
        """
        return self in (Status.COMPLETED, Status.DIVERGED)

    @property
    def trouble(self) -> bool:
        """True where a view explains the reason."""
        return self in (Status.DIVERGED, Status.ERROR)

    @property
    def rank(self) -> int:
        """Rise with what cannot be taken back: of two writers' rows the higher one counts."""
        if self.final:
            return 3
        return (Status.RUNNING, Status.INTERRUPTED, Status.ERROR).index(self)


FINAL = tuple(status for status in Status if status.final)
"""Statuses of runs and trials that no sweep tries again by itself."""


def ranks(words: Iterable[str]) -> np.ndarray:
    """Return the ranks of statuses, and after them -1, so that code -1 for null finds it."""
    return np.array([*(Status(word).rank for word in words), -1], np.int8)
