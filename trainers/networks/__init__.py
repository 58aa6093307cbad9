"""Networks by name, each built with a factory that makes its activations."""

from typing import TYPE_CHECKING, Any

from trainers.networks.record import Network
from trainers.networks.registry import NETWORKS
from trainers.references import resolve

if TYPE_CHECKING:
    from trainers.networks.build import build_network
    from trainers.networks.lenet import lenet5
    from trainers.networks.resnet import resnet20

__all__ = ["NETWORKS", "Network", "build_network", "lenet5", "resnet20"]

_AT_USE = {
    "build_network": "trainers.networks.build:build_network",
    "lenet5": "trainers.networks.lenet:lenet5",
    "resnet20": "trainers.networks.resnet:resnet20",
}


def __getattr__(name: str) -> Any:
    # Specifications are read by the names in NETWORKS, without the second that torch takes.
    if name in _AT_USE:
        return resolve(_AT_USE[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
