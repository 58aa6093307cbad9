"""The paper's two benchmark networks, each built with a factory that makes its activations."""

from trainers.networks.build import build_network
from trainers.networks.lenet5 import lenet5
from trainers.networks.resnet20 import resnet20

__all__ = ["build_network", "lenet5", "resnet20"]
