"""Runs of one configuration as one sample, with the runs that have no value counted beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import numpy as np
import pandas as pd

from analysis.measures.values import independent
from analysis.statistics.deviations import share_deviation
from analysis.statistics.intervals import Contrast, Floats, contrast

Key = tuple[Any, ...]
"""The values of some columns of the configuration that all runs of a cell have."""


@dataclass(frozen=True)
class Cell:
    """Runs that differ in their seed alone, or in nothing that a question is about."""

    sample: Floats
    """The measured values."""
    diverged: int = 0
    censored: int = 0
    missing: int = 0
    conflict: int = 0
    """Runs that diverged in one sweep and completed in another."""
    run_ids: tuple[str, ...] = ()
    """All runs of the cell, whatever became of them."""

    @classmethod
    def of(cls, value: np.ndarray, outcome: np.ndarray, run_id: np.ndarray) -> Self:
        """Return the cell of some rows of `values`, given as three columns of (runs,) each."""
        words = ("diverged", "censored", "missing", "conflict")
        lost = {word: int((outcome == word).sum()) for word in words}
        measured = value[outcome == "measured"].astype("float64")
        return cls(measured, run_ids=tuple(sorted(map(str, run_id))), **lost)

    @property
    def without_value(self) -> int:
        """Runs that have neither a value nor diverged, and will get none by themselves."""
        return self.missing + self.conflict

    @property
    def ranked(self) -> Floats:
        """The values with each diverged run as infinity: worse than any that ended."""
        return np.append(self.sample, np.full(self.diverged, math.inf))


C = TypeVar("C", bound=Cell)


@dataclass(frozen=True)
class Family(Generic[C]):
    """All cells of one design, of which contrasts are taken."""

    cells: Mapping[Key, C]

    def contrast(self, weights: Mapping[Key, float]) -> Contrast:
        """Return the weighted sum of the cells' means.

        Cells of the sum share their deviation, unless they are plainly more or less scattered.
        Other cells lend theirs to none: with four quieter ones beside it, a cell that scatters
        twice as much was within its 90 % interval in 84 % of worlds of five runs.
        """
        samples = [self.cells[key].sample for key in weights]
        return contrast(samples, list(weights.values()), share_deviation(samples))

    def pooled(self, keys: Iterable[Key]) -> bool:
        """Return True if all these cells share their deviation."""
        return all(share_deviation([self.cells[key].sample for key in keys]))


def cells(frame: pd.DataFrame, columns: Sequence[str]) -> dict[Key, Cell]:
    """Return the runs of a frame of `values`, each once, grouped by the columns."""
    once = independent(frame)
    # a null, as the s of an activation without control points, is a value like others
    groups = once.groupby(list(columns), observed=True, dropna=False, sort=True)
    made = ("value", "outcome", "run_id")
    return {key: Cell.of(*(np.asarray(rows[name]) for name in made)) for key, rows in groups}


def counts(*found: Cell) -> dict[str, int]:
    """Return the columns that count the runs of some cells by their outcome."""
    return {
        "n": sum(len(cell.sample) for cell in found),
        "n_diverged": sum(cell.diverged for cell in found),
        "n_censored": sum(cell.censored for cell in found),
        "n_missing": sum(cell.without_value for cell in found),
    }
