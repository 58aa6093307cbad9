"""The level of each look at a growing sample, such that all looks together keep the planned one.

Lan and DeMets (1983, doi:10.1093/biomet/70.3.659) spend the level as information comes in, here by
their function of O'Brien and Fleming's kind: almost nothing is spent early, so that the last look
is judged nearly as if it were the only one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import scipy

from analysis.statistics.intervals import Floats

_NODES = 160
"""Of the quadrature over the path between the boundaries: the levels are right to 1e-8."""


def spent(fraction: float, level: float) -> float:
    """Return the part of a two-sided level that is spent at a fraction of the information.

    Each side spends its half by itself, as in the programme of Lan and DeMets.
    """
    if fraction <= 0:
        return 0.0
    z = -scipy.special.ndtri(level / 4)
    return float(min(level, 4 * scipy.special.ndtr(-z / math.sqrt(min(fraction, 1.0)))))


@lru_cache(maxsize=4096)
def look_levels(fractions: tuple[float, ...], level: float = 0.05) -> tuple[float, ...]:
    """Return the two-sided level at which each look is judged.

    A look at which no more is left to spend has level 0 and decides nothing.

    >>> [round(one, 4) for one in look_levels((0.5, 1.0))]
    [0.0031, 0.049]

    Args:
        fractions: of the largest planned information at each look, rising; above 1 counts as 1.
        level: of all looks together.

    Raises:
        ValueError: the fractions fall.
    """
    if any(later < earlier for earlier, later in itertools.pairwise(fractions)):
        raise ValueError(f"information never falls from look to look; got {fractions}")
    levels: list[float] = []
    at, before = 0.0, 0.0
    path: tuple[Floats, Floats] | None = None
    for fraction in (min(one, 1.0) for one in fractions):
        budget, before = spent(fraction, level) - before, spent(fraction, level)
        step = fraction - at
        # Of less than this no boundary is known: the normal tail itself ends there.
        if budget < 1e-15 or step <= 0:
            levels.append(0.0)
            continue
        bound = _bound(path, step, budget)
        levels.append(float(2 * scipy.special.ndtr(-bound / math.sqrt(fraction))))
        path = _survivors(path, step, bound)
        at = fraction
    return tuple(levels)


def information(runs: Sequence[int]) -> float:
    """Return the information on a difference of means of so many runs each: harmonic in them."""
    return 1 / sum(1 / n for n in runs) if runs and all(runs) else 0.0


def _bound(path: tuple[Floats, Floats] | None, step: float, budget: float) -> float:
    """Return the bound on the sum that is first passed now with the probability `budget`.

    Args:
        path: nodes and weighted densities of the sum where no bound was passed before; None: 0.
        step: the variance that the sum has gained since.
        budget: the probability.
    """
    places, density = path or (np.zeros(1), np.ones(1))
    scale = math.sqrt(step)

    def beyond(bound: float) -> float:
        ndtr = scipy.special.ndtr
        tails = ndtr((places - bound) / scale) + ndtr(-(bound + places) / scale)
        return float(density @ tails) - budget

    return float(scipy.optimize.brentq(beyond, 0.0, 40.0, xtol=1e-12))


def _survivors(
    path: tuple[Floats, Floats] | None, step: float, bound: float
) -> tuple[Floats, Floats]:
    """Return nodes and weighted densities of the sum within the bound."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    # Far beyond eight deviations there is nothing to integrate.
    reach = min(bound, 8.0)
    nodes, weights = reach * nodes, reach * weights
    places, density = path or (np.zeros(1), np.ones(1))
    steps = np.exp(-((nodes[:, None] - places[None, :]) ** 2) / (2 * step))
    steps /= math.sqrt(2 * math.pi * step)
    return nodes, weights * (steps @ density)
