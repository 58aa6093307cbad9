"""How numbers, durations, intervals, parameters and names are written for people."""

from __future__ import annotations

import math

from analysis.statistics.intervals import Interval

MISSING = "–"

ACTIVATIONS = {
    "relu": "ReLU",
    "swish": "Swish",
    "apl": "APL",
    "polyneuron": "PolyNeuron",
    "polyneuron_r": "PolyNeuron-R",
}
"""The paper's activations in its order, as they are printed."""

BENCHMARKS = {"lenet5/mnist": "LeNet-5 on MNIST", "resnet20/cifar10": "ResNet-20 on CIFAR-10"}
"""The paper's benchmarks, as they are printed."""

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


def number(value: float | None, digits: int = 2) -> str:
    """Write a number with so many digits after the point; a dash for none."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    zero = not text.strip("-0.")  # a negative number that rounds to zero has no sign
    return text.lstrip("-") if zero else text.replace("-", "−")


def short(value: object) -> str:
    """Write a parameter's value: at most three significant digits, words as they are."""
    if value is None or value != value:  # NaN is not itself
        return MISSING
    if isinstance(value, float):
        return f"{value:.3g}".replace("e-0", "e-").replace("-", "−")
    return str(value)


def interval(value: Interval, digits: int = 2) -> str:
    """Write `1.66 (1.58 to 1.74)`, or the estimate alone where it has no interval."""
    if not math.isfinite(value.low):
        return number(value.estimate, digits)
    low, high = number(value.low, digits), number(value.high, digits)
    return f"{number(value.estimate, digits)} ({low} to {high})"


def count(n: int, noun: str) -> str:
    """Write `1 run` or `2 runs`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def seconds(value: float | None) -> str:
    """Write a duration in the unit that reads best."""
    if value is None or not math.isfinite(value):
        return MISSING
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
