"""The activations by name: make one, describe one, and find them again in a network."""

import difflib
import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from polyneuron.activations.activation import Activation
from polyneuron.activations.apl import APL
from polyneuron.activations.blending import AdaptiveBlending
from polyneuron.activations.bspline import BSpline
from polyneuron.activations.cubic_spline import CubicSpline
from polyneuron.activations.ensemble import ActivationEnsemble
from polyneuron.activations.gelu import GELU
from polyneuron.activations.mish import Mish
from polyneuron.activations.pade import PadeUnit
from polyneuron.activations.polyneuron import PolyNeuron
from polyneuron.activations.polyneuron_ordered import PolyNeuronOrdered
from polyneuron.activations.polyneuron_r import PolyNeuronR
from polyneuron.activations.prelu import PReLU
from polyneuron.activations.relu import ReLU
from polyneuron.activations.silu import SiLU
from polyneuron.activations.srelu import SReLU
from polyneuron.activations.swish import Swish
from polyneuron.scope import SCOPES, Channels

ACTIVATIONS: Mapping[str, type[Activation]] = {
    "relu": ReLU,
    "swish": Swish,
    "apl": APL,
    "polyneuron": PolyNeuron,
    "polyneuron_r": PolyNeuronR,
    "polyneuron_ordered": PolyNeuronOrdered,
    "prelu": PReLU,
    "srelu": SReLU,
    "abu": AdaptiveBlending,
    "ensemble": ActivationEnsemble,
    "pade": PadeUnit,
    "cubic_spline": CubicSpline,
    "bspline": BSpline,
    "gelu": GELU,
    "silu": SiLU,
    "mish": Mish,
}
"""Another activation is a file in this folder and a line here."""


def activation_names() -> tuple[str, ...]:
    """Return the names that `make_activation` knows."""
    return tuple(ACTIVATIONS)


def activation_class(name: str) -> type[Activation]:
    """Return the class of the activation of this name.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in ACTIVATIONS:
        raise ValueError(_unknown("activation", name, activation_names()))
    return ACTIVATIONS[name]


def is_learned(name: str) -> bool:
    """Return True if the activation of this name has parameters.

    Raises:
        ValueError: the name is unknown.
    """
    return activation_class(name).learned


def activation_options(name: str) -> dict[str, Any]:
    """Return the options of the activation of this name, each with its default.

    >>> activation_options("polyneuron_r")
    {'s': 3, 'k': 3, 'init': 'relu_like', 'half_range': 1.0, 'tail_range': None}

    Raises:
        ValueError: the name is unknown.
    """
    parameters = _parameters(activation_class(name))
    return {n: p.default for n, p in parameters.items() if n not in ("channels", "generator")}


_signature = functools.cache(inspect.signature)


def _parameters(kind: type[Activation]) -> Mapping[str, inspect.Parameter]:
    # mypy takes the hash of a class for that of its instances.
    return _signature(kind).parameters  # type: ignore[arg-type]


def make_activation(
    name: str,
    *,
    channels: Channels = None,
    scope: str = "layer",
    generator: torch.Generator | None = None,
    **options: Any,
) -> Activation:
    """Make one layer of activation functions.

    >>> make_activation("polyneuron", scope="channel", channels=6, s=5)
    PolyNeuron(s=5, k=3, channels=6)

    Args:
        name: one of `activation_names()`.
        channels: number of channels C of the layer's input, or the shape (C, H, W) of a sample.
            Needed by the scopes "channel" (C, or the shape's first) and "neuron".
        scope: one learned function per "layer", "channel" or "neuron".
        generator: source of random starts; None is torch's global one.
        options: those of `activation_options(name)`.

    Returns:
        The activation; a fixed function has A = 1 in every scope.

    Raises:
        ValueError: an unknown name, scope or option, a value out of range, or channels missing.
    """
    kind = activation_class(name)
    known = activation_options(name)
    for option in options:
        if option not in known:
            raise ValueError(_unknown(f"option of {name}", option, tuple(known)))
    if scope not in SCOPES:
        raise ValueError(_unknown("scope", scope, SCOPES))
    if scope != "layer" and channels is None:
        raise ValueError(f"scope {scope!r} needs channels: an int, or the shape of a sample")
    if not kind.learned:
        return kind(**options)
    # Only activations with a random start have one.
    if "generator" in _parameters(kind):
        options["generator"] = generator
    return kind(channels=_scoped(channels, scope), **options)


def activation_modules(module: nn.Module) -> Iterator[tuple[str, Activation]]:
    """Yield name and module of every activation of this package in a network, learned or not."""
    for name, child in module.named_modules():
        if isinstance(child, Activation):
            yield name, child


def activation_parameters(module: nn.Module) -> Iterator[nn.Parameter]:
    """Yield the parameters of a network's activations, which weight decay leaves alone."""
    for _, child in activation_modules(module):
        yield from child.parameters()


def _scoped(channels: Channels, scope: str) -> Channels:
    if scope == "layer":
        return None
    if scope == "channel":
        return channels[0] if isinstance(channels, tuple) else channels
    return (channels,) if isinstance(channels, int) else channels


def _unknown(kind: str, got: object, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(str(got), known, n=1, cutoff=0.0) if known else []
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {got!r}; known: {', '.join(known) or 'none'}{hint}"
