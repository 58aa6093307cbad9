"""Hyperband's brackets: successive halving with several first rungs, each for its share of trials.

How long a trial has to train before its rank tells anything is not known beforehand. Each bracket
is a guess (Li et al., 2018, Algorithm 1): the first has its first rung at the grace, and each
further one `reduction` times later, as far as that is within a trial.
"""

from __future__ import annotations

import math

_TURN = (math.sqrt(5) - 1) / 2
"""Multiples of it, without their whole parts, fill 0 to 1 evenly however many there are."""


def shares(grace: int, reduction: int, total: int) -> list[int]:
    """Return of each bracket how many trials it gets, in proportion (Algorithm 1, line 3).

    Args:
        grace: steps before the first rung of the first bracket.
        reduction: the factor from a rung to the next.
        total: steps of a whole trial.
    """
    count = 1
    while grace * reduction**count <= total:
        count += 1
    return [math.ceil(count * reduction**left / (left + 1)) for left in reversed(range(count))]


def bracket_of(trial: int, parts: list[int]) -> int:
    """Return the bracket of a trial, from its number alone: a resumed sweep finds the same one."""
    place = (trial * _TURN) % 1.0 * sum(parts)
    bracket = 0
    while place >= parts[bracket]:
        place -= parts[bracket]
        bracket += 1
    return bracket
