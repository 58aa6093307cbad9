"""Domains with steps, logarithms and conditions: what is refused, and what a search draws."""

from typing import Any

import optuna
import pytest

from sweeps.search.sampling import draw_parameters, restored_parameters
from sweeps.spec.errors import SpecError
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import grid, trial_count
from sweeps.spec.sections import SweepSpec


def spec_of(space: dict[str, Any], **more: Any) -> SweepSpec:
    """Any names are allowed to a training function, here one that is named and not called."""
    raw = {
        "name": "spaces",
        "trainer": {"name": "anything:train", "code": "0"},
        "objective": {"metric": "loss"},
        "space": space,
        "search": {"trials": 2},
        **more,
    }
    return parse_spec(raw)


CONDITIONAL = {
    "momentum": {"grid": [0.0, 0.9], "when": {"optimizer": "sgd"}},
    "nesterov": {"grid": [True, False], "when": {"momentum": [0.9]}},
    "optimizer": {"grid": ["sgd", "adam"]},
}


def drawn(spec: SweepSpec, times: int) -> list[dict[str, Any]]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = []
    for _ in range(times):
        trial = study.ask()
        found.append(draw_parameters(spec, trial))
        study.tell(trial, 0.0)
        restored = restored_parameters(spec, study.trials[-1].params)
        assert restored == found[-1]
    return found


def test_a_conditional_parameter_is_drawn_for_its_trials_alone() -> None:
    """Also one that depends on a conditional one, and wherever they stand in the space."""
    spec = spec_of(
        {
            "momentum": {"choice": [0.0, 0.9], "when": {"optimizer": "sgd"}},
            "nesterov": {"choice": [True, False], "when": {"momentum": [0.9]}},
            "optimizer": {"choice": ["sgd", "adam", "rmsprop"]},
        }
    )
    found = drawn(spec, 60)
    for point in found:
        assert ("momentum" in point) == (point["optimizer"] == "sgd")
        assert ("nesterov" in point) == (point.get("momentum") == 0.9)
    assert any("nesterov" in point for point in found)


def test_a_grid_has_each_conditional_point_once() -> None:
    points = grid(spec_of(CONDITIONAL, search="grid"))
    assert sorted(map(str, points)) == sorted(
        map(
            str,
            [
                {"optimizer": "sgd", "momentum": 0.0},
                {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
                {"optimizer": "sgd", "momentum": 0.9, "nesterov": False},
                {"optimizer": "adam"},
            ],
        )
    )
    assert trial_count(spec_of(CONDITIONAL, search="grid")) == 4


def test_a_range_with_steps_draws_its_steps_alone() -> None:
    space = {
        "width": {"int": [16, 64], "step": 16},
        "dropout": {"uniform": [0.0, 0.5], "step": 0.25},
        "units": {"int": [1, 1024], "log": True},
    }
    found = drawn(spec_of(space), 200)
    assert {point["width"] for point in found} == {16, 32, 48, 64}
    assert {point["dropout"] for point in found} == {0.0, 0.25, 0.5}
    # By their logarithm half of the draws lie below 32, evenly only one in thirty would.
    assert 60 < sum(point["units"] < 32 for point in found) < 140


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ({"uniform": [0, 1], "step": 0.3}, "step: from 0 to 1 it takes a whole number of steps; 0"),
        ({"int": [1, 9], "step": 0.5}, "space.a: step: of integers a whole number; got 0.5"),
        ({"int": [1, 9], "step": 16}, "16 does not divide the range"),
        ({"log": [1, 9], "step": 2}, "step: a logarithmic range has none"),
        ({"int": [1, 9], "step": 2, "log": True}, "step: a logarithmic range has none"),
        ({"int": [0, 9], "log": True}, r"log: true is for int: \[low, high\] from 1 on; got int: "),
        ({"uniform": [1, 9], "log": True}, r"log: true is for int: .*; got uniform: \[1, 9\]"),
        ({"choice": [1, 9], "step": 2}, "step: choice lists its values; leave it out"),
        ({"choice": [1, 9], "log": True}, "log: choice lists its values; leave it out"),
        ({"choice": [1], "when": {"c": 1}}, "space.a.when.c: no other parameter of the space; kno"),
        ({"choice": [1], "when": {"a": 1}}, "space.a.when.a: no other parameter of the space"),
        ({"choice": [1], "when": {"b": 3}}, r"space.a.when.b: 3 is none of its values, \[1, 2\]"),
        ({"choice": [1], "when": {"b": True}}, "space.a.when.b: True is none of its values"),
        ({"choice": [1], "when": {"r": 0.5}}, "a condition is on a parameter with choice"),
        ({"choice": [1], "when": {"d": 1}}, "space.a.when: it depends on itself"),
    ],
)
def test_a_domain_that_cannot_be_drawn_is_refused(domain: dict[str, Any], message: str) -> None:
    space = {
        "a": domain,
        "b": {"choice": [1, 2]},
        "r": {"uniform": [0, 1]},
        "d": {"choice": [1], "when": {"a": 1}},
    }
    if "choice" not in domain:
        del space["d"]
    with pytest.raises(SpecError, match=message):
        spec_of(space)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"lr": 2.0}, r"search.enqueue.lr: 2.0 is none of the values of space.lr, log: \[0.001, 1"),
        ({"rate": 0.1}, "search.enqueue.rate: not drawn; known are lr, width"),
        ({"fixed": 1}, "search.enqueue.fixed: not drawn"),
        ({"width": 20}, "search.enqueue.width: 20 is none of the values"),
    ],
)
def test_a_start_outside_the_space_is_refused(point: dict[str, Any], message: str) -> None:
    space = {"lr": {"log": [0.001, 1]}, "width": {"int": [16, 64], "step": 16}, "fixed": 1}
    with pytest.raises(SpecError, match=message):
        spec_of(space, search={"trials": 3, "enqueue": [point]})


def test_a_grid_has_no_starts() -> None:
    with pytest.raises(SpecError, match="a grid search runs its whole grid; leave enqueue out"):
        spec_of({"a": {"grid": [1]}}, search={"algorithm": "grid", "enqueue": [{"a": 1}]})
