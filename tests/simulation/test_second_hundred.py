"""The second hundred of the fixed set of simulated sweeps; see `test_simulation`."""

import pytest
from simulated_sweep import simulate


@pytest.mark.parametrize("tens", range(10, 20))
def test_disturbed_sweeps_end_like_undisturbed_ones(tens: int) -> None:
    outcomes = [simulate(10 * tens + seed) for seed in range(10)]
    assert {one.seed: one.faults for one in outcomes if one.faults} == {}
