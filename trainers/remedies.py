"""Activations whose tails run away: what to try instead, and readings that are known to fail.

PolyNeuron-R's tails grow like |x|^k as soon as Σw leaves 0, and Adam's first steps move every w by
the whole rate. The figures are those of `tests/benchmarks/resnet20_readings.py`.
"""

from __future__ import annotations

from trainers.config import Configuration

SOUND_RATE = 1e-4
"""Rate of the activations at which every seed of the study learns; at 3e-4 some do not."""

PRE_ACTIVATION = "network.residual: pre_act, network.shortcut: projection"
SLOW = "recipe.activation_learning_rate: 1e-4"


def remedies(configuration: Configuration) -> str:
    """Name the settings to try where an activation's tail ran away, after "; "; empty if none is.

    A high order and a random start run away before the first update, so that no rate helps.
    """
    k = _option(configuration, "k")
    if isinstance(k, int) and k > 3:
        return "; try k: 3: at higher orders tails grow even where Σw is 0"
    if _option(configuration, "init") not in (None, "relu_like"):
        return "; try init: relu_like"
    reading = _reading(configuration) if _tails_grow(configuration) else ""
    return f"; try {reading}" if reading else ""


def known_failure(configuration: Configuration) -> str:
    """Say that a configuration is known not to train, and which one does; empty if it is not."""
    network = configuration.network
    advice = _reading(configuration)
    if network.name != "resnet20" or not _tails_grow(configuration) or not advice:
        return ""
    seen = (
        f"stays at chance in some seeds at a rate of {_rate(configuration):g}"
        if network.residual == "pre_act"
        else f"diverges or stays at chance with network.residual {network.residual}"
    )
    return f"polyneuron_r on resnet20 {seen}, as its tails run away; try {advice}"


def _reading(configuration: Configuration) -> str:
    network = configuration.network
    early = network.name == "resnet20" and network.residual != "pre_act"
    fast = _rate(configuration) > SOUND_RATE
    return ", ".join([*([PRE_ACTIVATION] if early else []), *([SLOW] if fast else [])])


def _tails_grow(configuration: Configuration) -> bool:
    if configuration.activation.name != "polyneuron_r":
        return False
    k = _option(configuration, "k")
    return isinstance(k, int) and k > 1 and _option(configuration, "tail_range") is None


def _rate(configuration: Configuration) -> float:
    recipe = configuration.recipe
    own = recipe.activation_learning_rate
    return recipe.learning_rate if own is None else own


def _option(configuration: Configuration, name: str) -> object:
    from polyneuron import activation_options  # torch takes a second to import

    chosen = configuration.activation
    return {**activation_options(chosen.name), **chosen.options}.get(name)
