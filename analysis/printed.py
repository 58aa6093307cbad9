"""Numbers, durations, intervals and names as text for people: the one module that writes them."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from analysis.statistics.intervals import Interval

MISSING = "–"

UNTRAINED = "could not be trained"
"""Of a configuration whose runs all diverged: it has no error to compare."""

ERROR_LABEL = "Validation error (%)"

ACTIVATIONS = {
    "relu": "ReLU",
    "swish": "Swish",
    "apl": "APL",
    "polyneuron": "PolyNeuron",
    "polyneuron_r": "PolyNeuron-R",
}
"""The paper's activations as it prints them, in its order."""

_NETWORKS = {"lenet5": "LeNet-5", "resnet20": "ResNet-20"}
_DATA = {"mnist": "MNIST", "cifar10": "CIFAR-10"}

_LABELS = {
    "s": "Control points s",
    "k": "Order k",
    "lambda_sum": "λ_sum",
    "lambda_prod": "λ_prod",
    "learning_rate": "Learning rate",
    "activation": "Activation",
    "init": "Initialisation",
    "scope": "Scope",
}

_BRIEF_LABELS = {"lambda_sum": "λ_sum", "lambda_prod": "λ_prod", "learning_rate": "lr"}

_TIMES = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def activation_name(name: object) -> str:
    """Return an activation's name in print; one that the paper does not have stays as it is."""
    return ACTIVATIONS.get(str(name), str(name))


def benchmark_name(name: object) -> str:
    """Return `lenet5/mnist` as `LeNet-5 on MNIST`; parts that the paper does not have stay."""
    network, slash, data = str(name).partition("/")
    if not slash:  # a training function of the user's own
        return network
    return f"{_NETWORKS.get(network, network)} on {_DATA.get(data, data)}"


def stem(name: str) -> str:
    """Return a name as part of a file's name, an address or an id, everywhere without escaping.

    A name with other characters than these gets the start of its hash, so that no two become one.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", name)
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def label(column: str) -> str:
    """Return a column of the configuration as an axis names it, e.g. `Control points s`."""
    return _LABELS.get(column, column)


def symbol(column: str) -> str:
    """Return a column of the configuration as a table's head names it, e.g. `s`."""
    return column if column in ("s", "k") else label(column)


def brief_symbol(column: str) -> str:
    """Return a column of the configuration in the few columns of a terminal, e.g. `lr`."""
    return _BRIEF_LABELS.get(column, column)


def parameter(column: str, value: object) -> str:
    """Return a parameter with its value as in a sentence, e.g. `learning rate = 0.001`."""
    return f"{symbol(column).lower()} = {short(value)}"


def brief_parameters(values: Mapping[str, object]) -> str:
    """Return parameters on one line of a terminal, e.g. `polyneuron_r s=3 λ_sum=1.5e-4`."""
    return " ".join(
        brief(value) if column == "activation" else f"{brief_symbol(column)}={brief(value)}"
        for column, value in values.items()
    )


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with this many digits after the point, or a dash for None, NaN, infinity."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    zero = not text.strip("-0.")  # -0.001 rounds to 0.00, which has no sign
    return text.lstrip("-") if zero else text.replace("-", "−")


def short(value: object) -> str:
    """Return a parameter's value: a float with three significant digits, words unchanged."""
    if value is None or value != value:  # NaN is not itself
        return MISSING
    if isinstance(value, float):
        text = _plain(value, 3) if 1 <= abs(value) < 1e4 else f"{value:.3g}"
        text = text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")  # 1e-06 as 1e−6
        return text.replace("-", "−")
    return str(value)


def brief(value: object, digits: int = 2) -> str:
    """Return a parameter's value in few columns: a float with so many digits, words unchanged."""
    if not isinstance(value, float) or not math.isfinite(value):
        return str(value)
    if value and not 0.01 <= abs(value) < 1e4:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    return _plain(value, digits) if abs(value) >= 1 else f"{value:.{digits}g}"


def brief_column(values: Sequence[object]) -> list[str]:
    """Return values as `brief` does, with as many digits as tell them apart."""
    kinds = len(set(values))
    for digits in range(2, 18):  # 17 digits tell any two floats apart
        texts = [brief(value, digits) for value in values]
        if len(set(texts)) == kinds:
            break
    return texts


def _plain(value: float, digits: int) -> str:
    """Return a number from 1 on without an exponent: no digit before the point is lost."""
    whole = len(str(int(abs(value))))
    text = f"{value:.{max(digits - whole, 1)}f}"
    return text.rstrip("0").rstrip(".")


def with_standard_error(estimate: float, standard_error: float | None) -> str:
    """Return an error in percent as `1.66 ± 0.04 %`."""
    return value_with_error(estimate, standard_error, is_percent=True)


def value_with_error(value: float, standard_error: float | None, is_percent: bool) -> str:
    """Return `1.66 ± 0.04 %`, or a value of any size with as many digits as its error has.

    >>> value_with_error(0.0123456, 0.00021, is_percent=False)
    '0.01235 ± 0.00021'
    >>> value_with_error(1234.56, None, is_percent=False)
    '1235'
    """
    if is_percent:
        spread = "" if standard_error is None else f" ± {standard_error:.2f}"
        return f"{value:.2f}{spread} %"
    if not standard_error or not math.isfinite(standard_error):
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(standard_error)))
    if digits > 8 or abs(value) >= 1e9:
        return f"{value:.4g} ± {standard_error:.2g}"
    return f"{value:.{digits}f} ± {standard_error:.{digits}f}"


def percent(confidence: float) -> str:
    """Return a confidence with as many digits as tell it from 100 %."""
    digits = max(0, -math.floor(math.log10(1 - confidence)) - 1)
    return f"{100 * confidence:.{digits}f}".rstrip("0").rstrip(".") + " %"


def interval(value: Interval, digits: int = 2) -> str:
    """Return `1.66 (1.58 to 1.74)`, or the estimate alone if the bounds are not known."""
    if not math.isfinite(value.low):
        return number(value.estimate, digits)
    low, high = number(value.low, digits), number(value.high, digits)
    return f"{number(value.estimate, digits)} ({low} to {high})"


def rate(per_second: float, noun: str) -> str:
    """Return a rate by the minute, or by the hour if it is less than one a minute."""
    if per_second * 60 >= 1:
        return f"{per_second * 60:.3g} {noun}/min"
    return f"{per_second * 3600:.2g} {noun}/h"


def count(n: int, noun: str) -> str:
    """Return `1 run` or `2 runs`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units: `0.12 s`, `42 s`, `3 min 20 s`, `5 h 07 min`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    for (size, unit), (part, smaller) in pairwise(_TIMES):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part:02d} {smaller}"
    return f"{whole} s"
