"""Sweeps under faults of every kind end like undisturbed ones; each follows from a seed.

`make simulate N=2000` tries more. A seed that finds a mistake is listed here from then on.
"""

import pytest
from simulated_sweep import simulate

SEEDS = range(32)
"""In 0 retried trials lost their parameters in the study, until it copied what it compares with; in
3 a failed trial was trained again beside its retry; in 34 a missing text was written as NaN; in 81
and 87 a driver died between the study's row of a new attempt and the sweep's, which lacked it."""


@pytest.mark.parametrize("seed", [*SEEDS, 34, 81, 87])
def test_a_disturbed_sweep_ends_like_an_undisturbed_one(seed: int) -> None:
    assert simulate(seed).faults == []


def test_everything_follows_from_the_seed() -> None:
    assert simulate(2) == simulate(2)
