"""A sweep says which of its trials are known not to train, wherever in its space they are."""

from sweeps.driver.preparation import prepare
from sweeps.spec.known_failures import known_failures
from sweeps.spec.reading import parse_spec

LITERAL = {"name": "resnet20", "residual": "pre_act", "shortcut": "projection"}


def spec_of(network: object = LITERAL, **more: object):
    raw = {"name": "a", "network": network, "data": "digits", "search": "grid", **more}
    return parse_spec(raw)


def test_one_warning_an_activation_that_fails_somewhere():
    names = {"grid": ["relu", "polyneuron", "polyneuron_r"]}
    (text,) = known_failures(spec_of(space={"activation": names, "s": {"grid": [3, 5]}}))
    assert text.startswith("polyneuron_r on resnet20 stays at chance in some seeds")


def test_a_single_value_of_the_space_is_enough():
    rates = {"grid": [1e-4, 1e-3]}
    slow = {"activation_learning_rate": {"grid": [1e-5, 1e-4]}}
    recipe = {"activation_learning_rate": 1e-4}
    assert known_failures(spec_of(space={"activation_learning_rate": rates}))
    assert not known_failures(spec_of(space=slow))
    assert not known_failures(spec_of(recipe=recipe, space={"learning_rate": rates}))
    assert known_failures(spec_of(space={"learning_rate": rates}))


def test_other_networks_and_activations_are_left_alone():
    assert not known_failures(spec_of("lenet5", space={"k": {"grid": [3, 5]}}))
    assert not known_failures(spec_of(activation="relu"))


def test_plan_and_run_show_it_before_anything_starts():
    (note,) = prepare(spec_of("resnet20", search="grid"), elsewhere=True).notes
    assert "network.residual add_then_act" in note
    assert "try network.residual: pre_act, network.shortcut: projection" in note
