"""Messages between a worker and the driver, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeps.search.open_trials import EpochEnded, TrialOutcome

if TYPE_CHECKING:
    from sweeps.spec.search_space import Params


@dataclass(frozen=True)
class Joined:
    """A worker has started and holds no trial."""

    problem: str = ""
    """What keeps it from training any trial, as data that its machine lacks, or a full disk."""


@dataclass(frozen=True)
class Alive:
    """A worker's sign of life."""

    steps: int
    """Training steps that its process has taken since it started."""


@dataclass(frozen=True)
class TrialEnded:
    """A worker's trial has ended, and its records are durable in the store."""

    outcome: TrialOutcome
    leaves: bool = False
    """True where its worker takes no further trial: another one, in a new process, will."""


@dataclass(frozen=True)
class Order:
    """The answer to `Joined` and `TrialEnded`: the trial to train next."""

    number: int
    params: Params
    fresh: bool
    """True where the sweep has no record of the trial's configuration: none is looked for."""
    search_seconds: float
    """The part of the worker's wait in which the driver drew trials."""
    added_seeds: tuple[int, ...] = ()
    """The trial's seeds beyond those of the specification."""


@dataclass(frozen=True)
class EpochAnswer:
    """The answer to `EpochEnded`, where its worker waits for one."""

    prune_reason: str
    """Why the trial ends with this epoch; empty where it goes on."""
    stopping: bool
    """True where the whole sweep stops."""


Message = Joined | Alive | EpochEnded | TrialEnded
Answer = Order | EpochAnswer | None
"""None: there are no more trials, so the worker leaves."""
