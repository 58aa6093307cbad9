from collections import Counter

import pytest

from sweeps.spec.reading import load_spec, parse_spec
from sweeps.spec.repetitions import REPETITION, seeds_of
from sweeps.spec.search_space import check, configure, grid, grid_points, trial_count
from sweeps.spec.sections import SweepSpec


def timed(**more: object) -> SweepSpec:
    raw = {
        "name": "timed",
        "purpose": "timing",
        "recipe": {"epochs": 2},
        "space": {"s": {"grid": [3, 5, 7, 9, 11, 13, 15, 17]}, "k": 3},
        "activation": "polyneuron_r",
        "search": "grid",
        "seeds": [7, 3, 5, 9, 4, 8],
        **more,
    }
    return parse_spec(raw)


def test_each_point_is_a_trial_once_a_repetition_with_a_seed_of_its_own() -> None:
    spec = timed()
    assert check(spec) == []
    trials = grid(spec)
    assert len(trials) == trial_count(spec) == 8 * 6
    assert Counter(one["s"] for one in trials) == dict.fromkeys(spec.space["s"].values, 6)
    for s in spec.space["s"].values:
        own = [one for one in trials if one["s"] == s]
        assert [seeds_of(spec, one) for one in own] == [(seed,) for seed in spec.seeds]


def test_the_arms_take_turns_in_an_order_that_each_repetition_draws() -> None:
    spec = timed()
    turns = [grid(spec)[8 * turn : 8 * turn + 8] for turn in range(6)]
    for number, turn in enumerate(turns, start=1):
        assert {one[REPETITION] for one in turn} == {number}
        assert {one["s"] for one in turn} == set(spec.space["s"].values)
    orders = {tuple(one["s"] for one in turn) for turn in turns}
    assert len(orders) == 6  # two of 8! orders are equal once in 2,700 specifications
    assert grid(timed()) == grid(spec)
    other = timed(search={"algorithm": "grid", "seed": 1})
    assert grid(other) != grid(spec)


def test_a_repetition_is_no_part_of_the_configuration() -> None:
    spec = timed()
    for one in grid(spec):
        plain = {key: value for key, value in one.items() if key != REPETITION}
        assert plain in grid_points(spec)
        assert configure(spec, one).config_id == configure(spec, plain).config_id


def test_trials_of_other_sweeps_have_all_seeds() -> None:
    spec = load_spec("table1_lenet5")
    assert grid(spec) == grid_points(spec)
    assert all(seeds_of(spec, one) == spec.seeds for one in grid(spec))


@pytest.mark.parametrize("purpose", ["timing", "confirmatory"])
def test_nobody_varies_repetitions_by_hand(purpose: str) -> None:
    spec = timed(purpose=purpose, space={REPETITION: {"grid": [1, 2]}})
    with pytest.raises(ValueError, match=r"space.repetition: not a parameter of polyneuron_r"):
        check(spec)
