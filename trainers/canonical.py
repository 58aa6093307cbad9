"""The identity of a training: one form of all configurations that train alike, and its hash.

Configurations of equal form train bit-equally from one seed. The form has every setting with its
value, defaults too, and leaves out what cannot matter.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from trainers.networks.registry import NETWORKS
from trainers.schedule import drop_epochs

if TYPE_CHECKING:
    from trainers.data.config import DataConfig
    from trainers.networks.config import ActivationConfig, NetworkConfig, OptionValue
    from trainers.recipe import Recipe

IDENTITY_VERSION = 2
"""Written beside each stored form. Version 1 hashed configurations as they were written."""

AS_BEFORE: Mapping[str, object] = {
    "network.shortcut": "pad",
    "activation.polyneuron_r.tail_range": None,
    "network.options": {},
    "network.replace": (),
    "network.code": "",
    "data.options": {},
    "data.code": "",
    "recipe.optimizer": "adam",
    "recipe.momentum": 0.9,
    "recipe.nesterov": False,
    "recipe.schedule": "steps",
    "recipe.warmup_epochs": 0,
    "recipe.label_smoothing": 0.0,
    "recipe.clip_gradient": None,
}
"""Of each setting that was added after version 2 the value that trains as before, by
`section.field`, or `activation.name.option` for an option of one activation. The form leaves out a
setting that has this value: so a new setting changes no stored identity. An entry never changes."""

_WHOLE = 2.0**53
"""Up to here, every whole number is exact as a float."""

Form = dict[str, dict[str, Any]]
"""Values by section and field, as JSON has them."""


def canonical(
    activation: ActivationConfig, network: NetworkConfig, data: DataConfig, recipe: Recipe
) -> Form:
    """Return the form of a configuration.

    Raises:
        ValueError: an unknown activation.
    """
    from polyneuron import activation_class, activation_options

    kind = activation_class(activation.name)
    options = {**activation_options(activation.name), **activation.options}
    trained = kind.learned and _is_trained(activation.name, tuple(sorted(options.items())))
    form = {
        "activation": _activation(activation, options, kind.learned),
        "network": _network(network),
        "data": _data(data),
        "recipe": _recipe(recipe, trained, kind.penalised),
    }
    return {section: _changed(section, settings) for section, settings in form.items()}


def config_id(form: Form) -> str:
    """Return sixteen hex digits that identify a form."""
    # Sorted keys: an id does not depend on the order of fields.
    text = json.dumps(form, sort_keys=True, separators=(",", ":"))
    # 64 bits: among a million configurations two share an id with probability 3e-8.
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _activation(
    activation: ActivationConfig, options: Mapping[str, OptionValue], learned: bool
) -> dict[str, Any]:
    form = {
        "name": activation.name,
        "options": _changed(f"activation.{activation.name}", options),
    }
    return {**form, "scope": activation.scope} if learned else form


def _network(network: NetworkConfig) -> dict[str, Any]:
    form = dataclasses.asdict(network)
    of_some = {name for known in NETWORKS.values() for name in known.settings}
    known = NETWORKS.get(network.name)
    own = known.settings if known is not None else ()
    return {name: value for name, value in form.items() if name in own or name not in of_some}


def _data(data: DataConfig) -> dict[str, Any]:
    form = dataclasses.asdict(data)
    del form["folder"]
    if data.validation != "held_out":
        del form["held_out_images"]
    return form


def _recipe(recipe: Recipe, trained: bool, penalised: bool) -> dict[str, Any]:
    form = dataclasses.asdict(recipe)
    if recipe.optimizer == "adamw":
        form |= {"optimizer": "adam", "decay": "decoupled"}
    descends = recipe.optimizer == "sgd"
    form["drop_at"] = sorted(at for at in drop_epochs(recipe) if at < recipe.epochs)
    if recipe.activation_learning_rate == recipe.learning_rate:
        form["activation_learning_rate"] = None
    idle = {
        "drop_factor": not form["drop_at"],
        "decay": recipe.weight_decay == 0 or descends,
        "decay_on": recipe.weight_decay == 0,
        "betas": descends,
        "epsilon": descends,
        "momentum": not descends,
        "nesterov": not descends,
        "pad_before_normalising": recipe.pad == 0,
        "activation_learning_rate": not trained,
        "lambda_sum": not penalised,
        "lambda_prod": not penalised,
    }
    return {name: value for name, value in form.items() if not idle.get(name)}


@lru_cache(maxsize=1024)
def _is_trained(name: str, options: tuple[tuple[str, OptionValue], ...]) -> bool:
    """Return whether training changes a parameter of an activation; of a refused one True."""
    import torch

    from polyneuron import make_activation

    chosen: dict[str, Any] = dict(options)
    try:
        # A random start takes nothing from torch's global stream, which belongs to the caller.
        made = make_activation(name, generator=torch.Generator().manual_seed(0), **chosen)
    except (ValueError, TypeError):
        return True
    return any(parameter.requires_grad for parameter in made.parameters())


def _changed(place: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as JSON has them, without those that are as before they were added."""
    plain = {name: _plain(value) for name, value in settings.items()}
    before = {name: AS_BEFORE[path] for name in plain if (path := f"{place}.{name}") in AS_BEFORE}
    return {
        name: value
        for name, value in plain.items()
        if name not in before or value != _plain(before[name])
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, and whole numbers as integers: 3.0 is 3, and -0.0 is 0."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _WHOLE:
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
