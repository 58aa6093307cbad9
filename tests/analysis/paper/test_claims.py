import json

import pytest
from synthetic_store import configuration

from analysis.paper.claims import paper
from analysis.printed import ACTIVATIONS

config_module = pytest.importorskip(
    "trainers.config", reason="the trainers' configuration needs the extra `train`"
)
networks = pytest.importorskip("trainers.networks", reason="as above")


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_trainers_defaults_are_the_papers_setting(network, activation):
    data = {"lenet5": "mnist", "resnet20": "cifar10"}[network]
    config = config_module.RunConfig(
        activation=config_module.ActivationConfig(name=activation),
        network=config_module.NetworkConfig(name=network),
        data=config_module.DataConfig(name=data),
        recipe=networks.NETWORKS[network].recipe,
    )
    assert paper().departures(f"{network}/{data}", json.dumps(config.identity())) == {}


def test_the_synthetic_configuration_is_one_of_the_trainers():
    ours = configuration(activation="polyneuron_r", options={})
    theirs = config_module.RunConfig().identity()
    assert json.loads(json.dumps(theirs)).keys() == ours.keys()
    for part in ("network", "data", "recipe", "activation"):
        assert set(ours[part]) <= set(theirs[part]), part


def test_each_departure_is_named():
    config = configuration(epochs=3, flip="none", options={"s": 5})
    assert paper().departures("lenet5/mnist", json.dumps(config)) == {
        "recipe.flip": "recipe.flip is none, not left_right",
        "recipe.epochs": "recipe.epochs is 3, not 30",
        "s": "s is 5, not 3",
    }
    del config["recipe"]["pad"]
    departures = paper().departures("lenet5/mnist", json.dumps(config))
    assert departures["recipe.pad"] == "recipe.pad is not recorded, not 4"
