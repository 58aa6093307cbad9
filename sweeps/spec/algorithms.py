"""Search algorithms: one record each, which everything that lists, checks or runs them asks.

Optuna is not imported here: a specification is read without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.store.metric import EPOCH_SECONDS


@dataclass(frozen=True)
class Algorithm:
    """One search algorithm: Optuna's sampler, and what a sweep has to know of it."""

    sampler: str
    """The class of Optuna's sampler, as `module:name`."""
    about: str
    """Half a sentence for a user who chooses."""
    options: Mapping[str, bool] = field(default_factory=dict)
    """Arguments of the sampler besides the seed."""
    walks_grid: bool = False
    """True: each point of a grid is run once, so no number of trials is given."""
    learns: bool = True
    """True: results decide what is drawn next, so that one trial alone is drawn ahead of the next
    end. False: one for each worker is."""
    keeps_seed: bool = False
    """True: the study stores how far its sequence is. False: a resumed search takes another seed,
    as from the same one it would draw its first points again."""
    needs_ranges: bool = False
    """True: the space must have at least two ranges that apply to every trial."""
    weighs: bool = True
    """True: it can search by several objectives."""
    against: tuple[str, ...] = ()
    """Further numbers that it minimises where a specification names none."""


ALGORITHMS: Mapping[str, Algorithm] = {
    # Without `group`, Optuna draws parameters that only some trials have at random.
    "tpe": Algorithm(
        "optuna.samplers:TPESampler",
        "learns where good trials lie from the best and the rest",
        {"multivariate": True, "group": True, "constant_liar": True},
    ),
    "gp": Algorithm(
        "optuna.samplers:GPSampler", "fits a Gaussian process: for few trials that take long"
    ),
    "cmaes": Algorithm(
        "optuna.samplers:CmaEsSampler",
        "moves a normal distribution over the ranges",
        {"warn_independent_sampling": False},
        needs_ranges=True,
        weighs=False,
    ),
    "qmc": Algorithm(
        "optuna.samplers:QMCSampler",
        "covers the space evenly by Sobol's sequence",
        {"scramble": True},
        learns=False,
        keeps_seed=True,
    ),
    "random": Algorithm("optuna.samplers:RandomSampler", "draws at random", learns=False),
    # The study queues the grid's points, so its sampler draws nothing.
    "grid": Algorithm(
        "optuna.samplers:RandomSampler",
        "runs each point of the grid once",
        walks_grid=True,
        learns=False,
    ),
    "nsga2": Algorithm(
        "optuna.samplers:NSGAIISampler",
        "looks for the best errors at every cost: error against seconds an epoch, or against"
        " `objective.also`",
        against=(EPOCH_SECONDS,),
    ),
}
"""The values of `search.algorithm`."""
