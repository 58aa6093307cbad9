import subprocess
import sys

import pytest
import torch
from torch import nn

from trainers import ActivationConfig, DataConfig, Execution, NetworkConfig, Recipe, RunConfig
from trainers.networks import NETWORKS, Network, build_network
from trainers.networks.record import ActivationFactory


def build(config: NetworkConfig, activation: ActivationFactory, image_shape, classes) -> nn.Module:
    """Build a network of one's own, as the record in the test below names it."""
    channels, height, width = image_shape
    return nn.Sequential(
        nn.Flatten(), nn.Linear(channels * height * width, 8), activation(8), nn.Linear(8, classes)
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_built_for_its_digits(name):
    side = NETWORKS[name].input_side
    net = build_network(NetworkConfig(name), ActivationConfig(), (1, side, side), 7, 0)
    assert net(torch.zeros(2, 1, side, side)).shape == (2, 7)


def test_a_network_of_ones_own_trains_by_its_record_alone(monkeypatch):
    from trainers import train

    monkeypatch.setitem(sys.modules, "my_networks", sys.modules[__name__])
    record = Network("my_networks:build", input_side=8, recipe=Recipe(epochs=1), printed="Mine")
    monkeypatch.setitem(NETWORKS, "mine", record)
    run = train(
        RunConfig(
            network=NetworkConfig("mine"),
            data=DataConfig("digits", train_images=64),
            recipe=NETWORKS["mine"].recipe,
            execution=Execution(threads=1),
        )
    )
    assert run.status == "completed"
    # PolyNeuron-R with s = 3 has 8 parameters; 8x8 pixels, as the record says.
    assert run.parameters == 64 * 8 + 8 + 8 * 10 + 10 + 8


def test_an_unknown_network_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"^name: expected 'lenet5' or 'resnet20'; got 'lenet'$"):
        NetworkConfig("lenet")


def test_records_need_no_torch_and_networks_load_it():
    code = (
        "import sys\n"
        "from trainers import networks\n"
        "from trainers.data import DATASETS\n"
        "names = [record.printed for record in (*networks.NETWORKS.values(), *DATASETS.values())]\n"
        "assert 'torch' not in sys.modules, names\n"
        "from torch import nn\n"
        "for build in (networks.lenet5, networks.resnet20, networks.lenet5):\n"
        "    build(lambda channels: nn.ReLU())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
