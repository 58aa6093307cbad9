import dataclasses
import json
from pathlib import Path

import pytest
from synthetic_store import configuration

from analysis.paper.claims import paper
from analysis.printed import ACTIVATIONS
from analysis.store.identity1 import current

config_module = pytest.importorskip(
    "trainers.config", reason="the trainers' configuration needs the extra `train`"
)
networks = pytest.importorskip("trainers.networks", reason="as above")


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_trainers_defaults_are_the_papers_setting(network, activation):
    data = {"lenet5": "mnist", "resnet20": "cifar10"}[network]
    config = trainers_configuration(network, data, activation, reading=False)
    assert paper().departures(f"{network}/{data}", json.dumps(config), literal=True) == {}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_reading_stands_for_its_benchmark_and_nothing_between_does(activation):
    benchmark, reading = "resnet20/cifar10", dict(paper().reading["resnet20/cifar10"])

    def departures(keys, literal=False):
        config = trainers_configuration("resnet20", "cifar10", activation, keys)
        return set(paper().departures(benchmark, json.dumps(config), literal))

    # ReLU has no parameter that a rate of its own could train.
    own = {key for key in reading if not (activation == "relu" and "rate" in key)}
    assert departures(reading) == departures({}, literal=True) == set()
    assert departures({}) == departures(reading, literal=True) == own
    for key in own:
        assert departures({k: v for k, v in reading.items() if k != key}) == {key}


def test_a_reading_is_said_in_words():
    assert paper().read_as("lenet5/mnist") == ""
    assert paper().read_as("resnet20/cifar10") == (
        "network.residual is pre_act, not add_then_act, network.shortcut is projection, not pad,"
        " recipe.activation_learning_rate is 0.0001, not null"
    )


def trainers_configuration(network: str, data: str, activation: str, reading=True) -> dict:
    """The paper's setting, in the benchmark's reading or with these keys of another one."""
    keys = paper().reading.get(f"{network}/{data}", {}) if reading is True else reading or {}
    parts: dict = {"network": {}, "recipe": {}}
    for key, value in keys.items():
        section, _, name = key.partition(".")
        parts[section][name] = value
    return config_module.RunConfig(
        activation=config_module.ActivationConfig(name=activation),
        network=config_module.NetworkConfig(name=network, **parts["network"]),
        data=config_module.DataConfig(name=data),
        recipe=dataclasses.replace(networks.NETWORKS[network].recipe, **parts["recipe"]),
    ).canonical()


def test_the_synthetic_configuration_is_one_of_the_trainers():
    ours = configuration(activation="polyneuron_r", options={})
    theirs = config_module.RunConfig()
    assert current(json.dumps(ours)) == (
        theirs.config_id,
        json.dumps(theirs.canonical(), sort_keys=True),
    )


def test_each_departure_is_named():
    config = configuration(epochs=3, flip="none", options={"s": 5})
    assert paper().departures("lenet5/mnist", json.dumps(config)) == {
        "recipe.flip": "recipe.flip is none, not left_right",
        "recipe.epochs": "recipe.epochs is 3, not 30",
        "s": "s is 5, not 3",
    }


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_key_is_in_the_setting_or_departs(network, activation):
    """Whatever key changes, also one that no version has yet, the run is kept apart."""
    data = {"lenet5": "mnist", "resnet20": "cifar10"}[network]
    benchmark = f"{network}/{data}"
    config = json.loads(json.dumps(trainers_configuration(network, data, activation)))
    config["recipe"]["an_older_default"] = config["a_new_section"] = 1
    for section, values in config.items():
        for name in values if isinstance(values, dict) else ():
            changed = json.loads(json.dumps(config))
            if (name, section) in {("name", s) for s in config} | {("options", "activation")}:
                continue
            changed[section][name] = 77 if name == "epochs" else "another"
            found = paper().departures(benchmark, json.dumps(changed))
            key = f"{section}.{name}"
            ignored = {
                k for p in ("both", benchmark, activation) for k in paper().irrelevant.get(p, ())
            }
            assert (key in found) != (key in ignored), key
            assert "recipe.an_older_default" in found
            assert "a_new_section." in found


def test_quotations_are_the_papers_own_characters():
    """The list has the paper's sentences, with formulas as they are typeset."""
    sentences = Path(__file__).with_name("quotations.txt").read_text().splitlines()
    for claim in paper().claims:
        for part in claim.quote.split(" ... "):
            assert any(part in sentence for sentence in sentences), (claim.id, part)


def test_what_cannot_matter_is_no_departure():
    """A penalty that ReLU does not have, a network's field that the other one has."""
    config = configuration(activation="relu", lambda_sum=0.5, lambda_prod=0.5)
    config["network"]["residual"] = "act_then_add"
    config["data"]["held_out_images"] = 7
    assert paper().departures("lenet5/mnist", json.dumps(config)) == {}
    config["activation"]["name"] = "polyneuron_r"
    assert set(paper().departures("lenet5/mnist", json.dumps(config))) == {
        "recipe.lambda_sum",
        "recipe.lambda_prod",
    }


def test_rate_drops_are_the_epochs_at_which_they_act():
    for drops, same in (([20, 25], True), ([0.66, 0.84], True), ([20], False), ([21, 25], False)):
        found = paper().departures("lenet5/mnist", json.dumps(configuration(drop_at=drops)))
        assert (found == {}) == same, drops


def test_a_key_that_a_run_does_not_have_is_no_departure():
    config = configuration()
    del config["recipe"]["pad"]
    assert paper().departures("lenet5/mnist", json.dumps(config)) == {}
