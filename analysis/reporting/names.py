"""How parameters, activations and benchmarks are printed."""

from __future__ import annotations

from analysis.paper.claims import ACTIVATIONS, BENCHMARKS

_NETWORKS = {"lenet5": "LeNet-5", "resnet20": "ResNet-20"}
_DATA = {"mnist": "MNIST", "cifar10": "CIFAR-10"}

ERROR = "Validation error (%)"

LABELS = {
    "s": "Control points s",
    "k": "Order k",
    "lambda_sum": "λ_sum",
    "lambda_prod": "λ_prod",
    "learning_rate": "Learning rate",
    "activation": "Activation",
    "init": "Initialisation",
    "scope": "Scope",
}
"""Axis labels of the configuration's columns."""

SYMBOLS = LABELS | {"s": "s", "k": "k"}
"""Shorter names, for tables and sentences."""


def activation_name(name: object) -> str:
    """Return an activation as it is printed."""
    return ACTIVATIONS.get(str(name), str(name))


def benchmark_name(name: object) -> str:
    """Return a benchmark as it is printed."""
    network, _, data = str(name).partition("/")
    printed = f"{_NETWORKS.get(network, network)} on {_DATA.get(data, data)}"
    return BENCHMARKS.get(str(name), printed)
