"""Worlds made of arrays: evidence whose arms are drawn, without a store or a frame behind them.

A world has every seed of every arm from the start; a look sees the first of them. What becomes of
a run may depend on its arm and on the value that it would have had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from analysis.measures.cells import Key
from analysis.paper.evidence import Arm
from analysis.paper.ledger import NO_RUNS
from analysis.statistics.intervals import pooled_deviation

MEASURED, DIVERGED, MISSING, CONFLICT = range(4)

Rng = np.random.Generator


@dataclass(frozen=True)
class Law:
    """How the runs of an arm are drawn."""

    mean: float
    deviation: float = 0.1
    diverging: float = 0.0
    """The probability that a run diverges, whatever its value."""


@dataclass(frozen=True)
class Runs:
    """The runs of an arm in the order of their seeds."""

    value: np.ndarray
    outcome: np.ndarray

    def until(self, seeds: int) -> Runs:
        return Runs(self.value[:seeds], self.outcome[:seeds])

    @property
    def measured(self) -> np.ndarray:
        return self.value[self.outcome == MEASURED]


Kind = Callable[[Runs, np.ndarray, Rng], Runs]
"""From an arm's runs, and their distances from its mean in deviations, to its runs."""


def plain(runs: Runs, z: np.ndarray, rng: Rng) -> Runs:
    return runs


def worst(outcome: int, share: float = 0.5) -> Kind:
    """Let a share of the runs that are more than a deviation worse than the mean end otherwise."""

    def kind(runs: Runs, z: np.ndarray, rng: Rng) -> Runs:
        struck = (z > 1) & (rng.random(len(z)) < share) & (runs.outcome == MEASURED)
        return replace(runs, outcome=np.where(struck, outcome, runs.outcome))

    return kind


def equal(runs: Runs, z: np.ndarray, rng: Rng) -> Runs:
    return replace(runs, value=np.full_like(runs.value, runs.value[0]))


def scattered(runs: Runs, z: np.ndarray, rng: Rng) -> Runs:
    """Twice the deviation."""
    return replace(runs, value=2 * runs.value - runs.value + 0.1 * z)


def ended(outcome: int) -> Kind:
    return lambda runs, z, rng: replace(runs, outcome=np.full_like(runs.outcome, outcome))


def normal(rng: Rng, runs: int) -> np.ndarray:
    return rng.normal(size=runs)


def heavy(rng: Rng, runs: int) -> np.ndarray:
    """Student's t with three degrees of freedom, scaled to a deviation of 1."""
    return rng.standard_t(3, size=runs) / np.sqrt(3)


def processes(shared: float, deviation: float, each: int = 5):
    """Return draws of a process: the mean of its runs, and what slows all of them alike.

    Both in units of `deviation`, which is that of one run.
    """

    def draw(rng: Rng, runs: int) -> np.ndarray:
        common = rng.normal(0, shared / deviation, size=runs)
        return common + rng.normal(size=(runs, each)).mean(axis=1)

    return draw


Worlds = Mapping[str, Mapping[Key, Runs]]
"""By metric, the runs of each arm."""


def drawn(
    laws: Mapping[str, Mapping[Key, Law]],
    seeds: int,
    rng: Rng,
    noise: Callable[[Rng, int], np.ndarray] = normal,
    kinds: Mapping[Key, Kind] | None = None,
) -> Worlds:
    """Return the runs of a world, by metric and arm.

    Args:
        laws: of each metric and arm.
        seeds: of each arm.
        rng: draws.
        noise: distances from the mean, in deviations.
        kinds: what becomes of the runs of some arms.
    """
    worlds: dict[str, dict[Key, Runs]] = {}
    for metric, arms in laws.items():
        own = worlds.setdefault(metric, {})
        for key, law in arms.items():
            z = noise(rng, seeds)
            outcome = np.where(rng.random(seeds) < law.diverging, DIVERGED, MEASURED)
            runs = Runs(law.mean + law.deviation * z, outcome)
            own[key] = (kinds or {}).get(key, plain)(runs, z, rng)
    return worlds


class ArrayEvidence:
    """Stands for the evidence of one claim, in equal instalments of seeds."""

    def __init__(self, worlds: Worlds, max_seeds: int, looks: int = 1) -> None:
        self._worlds, self._max_seeds = worlds, max_seeds
        seeds = len(next(iter(next(iter(worlds.values())).values())).value)
        self._sizes = [seeds * (look + 1) // looks for look in range(looks)]
        self._look = looks - 1

    def looks_of(self, claim):
        return list(range(len(self._sizes)))

    def meant_for(self, claim):
        return self

    def until(self, look):
        earlier = object.__new__(ArrayEvidence)
        earlier.__dict__ = {**self.__dict__, "_look": look}
        return earlier

    def arms(self, claim, benchmark, columns, metric="val_error_percent", at=None):
        looks = tuple(enumerate(self._sizes[: self._look + 1]))
        return {
            key: self._arm(str(key), runs.until(self._sizes[self._look]), looks)
            for key, runs in self._worlds[metric].items()
        }

    def _arm(self, name, runs, looks):
        count = np.bincount(runs.outcome, minlength=4)
        return Arm(
            sample=runs.measured,
            diverged=int(count[DIVERGED]),
            missing=int(count[MISSING]),
            conflict=int(count[CONFLICT]),
            run_ids=(name,),
            name=name,
            looks=looks,
            max_seeds=self._max_seeds,
        )

    def extent(self, claim, benchmark, metric, at=None):
        seeds = self._sizes[self._look]
        samples = [runs.until(seeds).measured for runs in self._worlds[metric].values()]
        deviation = float(np.nan_to_num(pooled_deviation(samples)[0]))
        together = np.concatenate(samples)
        return float(together.min()) - deviation, float(together.max()) + deviation

    def machines(self, claim, benchmark):
        return {"cpu of a host"}

    def loaded(self, claim, benchmark):
        return 0

    def ledger(self, claim):
        return NO_RUNS

    def choice(self, claim, benchmark):
        return ""
