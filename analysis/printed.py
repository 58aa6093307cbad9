"""How numbers, durations, intervals, parameters and names are written for people."""

from __future__ import annotations

import math
from collections.abc import Mapping

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


def duration(value: float) -> str:
    """Write a duration in its two largest units, whole: `42 s`, `3 min 20 s`, `5 h 12 min`."""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def rate(per_second: float, noun: str) -> str:
    """Write a rate by the minute, or by the hour where that is more than one."""
    if per_second * 60 >= 1:
        return f"{per_second * 60:.3g} {noun}/min"
    return f"{per_second * 3600:.2g} {noun}/h"


def with_standard_error(estimate: float, standard_error: float | None) -> str:
    """Write an error in percent as `1.66 ± 0.04 %`."""
    spread = "" if standard_error is None else f" ± {standard_error:.2f}"
    return f"{estimate:.2f}{spread} %"


_BRIEF_SYMBOLS = {
    "lambda_sum": SYMBOLS["lambda_sum"],
    "lambda_prod": SYMBOLS["lambda_prod"],
    "learning_rate": "lr",
}
"""Names for lines of a terminal, which has few columns."""


def brief_symbol(parameter: str) -> str:
    """Name a parameter in few columns."""
    return _BRIEF_SYMBOLS.get(parameter, parameter)


def brief(value: object) -> str:
    """Write a parameter's value in few columns: two digits, as 1.5e-4; words as they are."""
    if not isinstance(value, float):
        return str(value)
    if value and not 0.01 <= abs(value) < 1e4:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.2g}"


def brief_parameters(values: Mapping[str, object]) -> str:
    """Write parameters on one line, as `polyneuron_r s=3 λ_sum=1.5e-4`."""
    return " ".join(
        brief(value) if key == "activation" else f"{brief_symbol(key)}={brief(value)}"
        for key, value in values.items()
    )
