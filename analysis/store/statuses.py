"""The statuses of runs and trials, and what follows from each."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The status of a run or a trial; equal to the text that a table has."""

    RUNNING = "running"
    COMPLETED = "completed"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    ERROR = "error"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """True of every status but `running`: no worker has the run any more."""
        return self is not Status.RUNNING

    @property
    def final(self) -> bool:
        """True where another attempt would only repeat the outcome."""
        return self in (Status.COMPLETED, Status.PRUNED, Status.DIVERGED)

    @property
    def trouble(self) -> bool:
        """True where a view explains the reason."""
        return self in (Status.DIVERGED, Status.ERROR)
