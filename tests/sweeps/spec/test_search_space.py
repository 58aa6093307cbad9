import pytest

from sweeps.spec.errors import SpecError
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import applies, check, configure, grid, trial_count
from sweeps.spec.sections import SweepSpec
from trainers.config import RunConfig

ALL = ["relu", "swish", "apl", "polyneuron", "polyneuron_r"]


def spec_of(space: dict, activation: object = "polyneuron_r", **more: object) -> SweepSpec:
    uncounted = any(isinstance(domain, dict) and "grid" not in domain for domain in space.values())
    search = {"algorithm": "tpe", "trials": 20} if uncounted else "grid"
    return parse_spec(
        {"name": "x", "activation": activation, "space": space, "search": search, **more}
    )


def test_a_grid_walks_each_combination_once() -> None:
    spec = spec_of({"s": {"grid": [3, 5, 9]}, "k": {"grid": [1, 2, 3, 4, 5]}})
    points = grid(spec)
    assert len(points) == trial_count(spec) == 15
    assert {(point["s"], point["k"]) for point in points} == {
        (s, k) for s in (3, 5, 9) for k in (1, 2, 3, 4, 5)
    }


def test_a_parameter_is_not_varied_where_it_does_not_apply() -> None:
    spec = spec_of({"activation": {"grid": ALL}, "lambda_sum": {"grid": [0, 0.01, 0.1]}})
    points = grid(spec)
    assert len(points) == 4 + 3
    assert [point for point in points if "lambda_sum" in point] == [
        {"activation": "polyneuron_r", "lambda_sum": value} for value in (0, 0.01, 0.1)
    ]


def test_s_means_control_points_and_apl_s_its_hinges() -> None:
    spec = spec_of(
        {"activation": {"grid": ["apl", "polyneuron"]}, "s": {"grid": [3, 5]}, "apl.s": 2}
    )
    assert grid(spec) == [
        {"activation": "apl", "apl.s": 2},
        {"activation": "polyneuron", "s": 3},
        {"activation": "polyneuron", "s": 5},
    ]
    assert configure(spec, grid(spec)[0]).activation.options == {"s": 2}


@pytest.mark.parametrize(
    ("key", "activation", "expected"),
    [
        ("lambda_prod", "polyneuron_r", True),
        ("lambda_prod", "polyneuron", False),
        ("scope", "relu", False),
        ("scope", "swish", True),
        ("learning_rate", "relu", True),
        ("init", "polyneuron", True),
        ("init", "relu", False),
    ],
)
def test_what_applies_to_what(key: str, activation: str, expected: bool) -> None:
    assert applies(key, activation) is expected


def test_parameters_reach_the_configuration() -> None:
    spec = spec_of({"s": 5, "k": 2, "lambda_sum": 0.1, "learning_rate": 0.01, "scope": "channel"})
    config = RunConfig.of(configure(spec, grid(spec)[0]), seed=7)
    assert config.activation.options == {"s": 5, "k": 2}
    assert config.activation.scope == "channel"
    assert config.recipe.lambda_sum == 0.1
    assert config.recipe.learning_rate == 0.01
    assert config.seed == 7


def test_fixed_options_belong_to_the_fixed_activation() -> None:
    activation = {"name": "polyneuron_r", "options": {"s": 9}}
    spec = spec_of({"k": {"grid": [1, 3]}}, activation)
    assert [configure(spec, point).activation.options for point in grid(spec)] == [
        {"s": 9, "k": 1},
        {"s": 9, "k": 3},
    ]


@pytest.mark.parametrize(
    ("space", "activation", "message"),
    [
        ({"s": {"int": [1, 5]}}, "polyneuron_r", r"space.s: s must be an integer of at least 2"),
        ({"s": 2.5}, "polyneuron_r", r"space.s: s must be an integer"),
        ({"k": {"grid": [0, 3]}}, "polyneuron", r"space.k: k must be an integer of at least 1"),
        ({"k": {"grid": [3]}}, "relu", "space.k: not a parameter of relu"),
        ({"sacle": 3}, "polyneuron_r", "space.sacle: not a parameter of polyneuron_r; did you me"),
        ({"activation": {"grid": ["rulu"]}}, "relu", "space.activation: no activation 'rulu'; di"),
        ({}, {"name": "polyneurn"}, "activation.name: no activation 'polyneurn'; did you mean pol"),
        ({}, {"name": "relu", "options": {"s": 3}}, "activation.options.s: no option 's'"),
        ({"apl.h": 3}, "apl", "space.apl.h: no option 'h'"),
        ({"scope": "block"}, "polyneuron_r", "space.scope: no scope 'block'; known are layer"),
        ({"learning_rate": {"grid": [0.1, -1]}}, "relu", "space.learning_rate: expected a finite"),
        ({"epochs": {"grid": [1.5]}}, "relu", "space.epochs: expected an integer; got 1.5"),
        ({"flip": {"grid": ["sideways"]}}, "relu", "space.flip: expected 'left_right', 'up_down'"),
        ({"init": {"grid": ["zeros"]}}, "polyneuron", "space.init: "),
    ],
)
def test_unsound_values_are_named(space: dict, activation: object, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        check(spec_of(space, activation))


@pytest.mark.parametrize("kind", ["uniform", "log"])
@pytest.mark.parametrize("key", ["batch_size", "epochs", "pad", "s", "k"])
def test_a_count_cannot_be_drawn_from_a_range_of_numbers(key: str, kind: str) -> None:
    with pytest.raises(SpecError, match=rf"space\.{key}: .*an integer"):
        check(spec_of({key: {kind: [3, 9]}}))


def test_a_rate_can_be_drawn_from_a_range_with_whole_ends() -> None:
    check(spec_of({"learning_rate": {"log": [1, 2]}, "weight_decay": {"uniform": [0, 1]}}))


def test_a_short_word_in_the_space_is_named() -> None:
    with pytest.raises(SpecError, match=r"space\.lr: .*did you mean learning_rate"):
        check(spec_of({"lr": {"log": [1e-4, 1e-2]}}))


def test_cmaes_needs_two_ranges_that_every_trial_has() -> None:
    space = {
        "activation": {"choice": ["relu", "polyneuron_r"]},
        "learning_rate": {"log": [1e-4, 1e-2]},
        "lambda_sum": {"log": [1e-4, 1e-1]},
    }
    search = {"algorithm": "cmaes", "trials": 5}
    with pytest.raises(SpecError, match=r"cmaes needs at least two ranges.*the space has 1"):
        check(spec_of(space, search=search))
    check(spec_of({**space, "batch_size": {"int": [32, 64]}}, search=search))


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"s": {"grid": [2, 3]}}, "s = 2"),
        ({"s": {"grid": [4]}}, "s = 4"),
        ({"k": {"int": [3, 5]}}, "k = 4"),
        ({"k": 6}, "k = 6"),
    ],
)
def test_ill_posed_values_are_allowed_with_a_warning(space: dict, words: str) -> None:
    assert any(words in note for note in check(spec_of(space, "polyneuron")))


def test_sound_values_draw_no_warning() -> None:
    assert check(spec_of({"s": {"grid": [3, 5]}, "k": {"grid": [1, 2, 3, 5]}})) == []
