"""Configurations that were stored with identity version 1, in the form of version 2.

Version 1 hashed a configuration as it was written. The tables here are the code's defaults, and
what could not matter, when version 2 began. They stay as they are whatever the code's defaults
become, so that no stored run changes its identity.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "relu": {},
    "swish": {"beta": 1, "learn_beta": True},
    "apl": {"s": 5, "a_bound": None, "b_std": 0.5},
    "polyneuron": {"s": 3, "k": 3, "init": "relu_like", "half_range": 1},
    "polyneuron_r": {"s": 3, "k": 3, "init": "relu_like", "half_range": 1},
    "polyneuron_ordered": {
        "s": 3,
        "k": 3,
        "min_gap": 0.01,
        "slopes": False,
        "init": "relu_like",
        "half_range": 1,
    },
    "prelu": {"a": 0.25},
    "srelu": {"t_left": 0, "a_left": 0.25, "t_right": 1, "a_right": 1},
    "abu": {},
    "ensemble": {"momentum": 0.1},
    "pade": {},
    "cubic_spline": {"knots": 21, "half_range": 2, "start": "tanh"},
    "bspline": {"knots": 21, "half_range": 3},
    "gelu": {},
    "silu": {},
    "mish": {},
}
"""Options of each activation with their defaults."""

FIXED = frozenset({"relu", "gelu", "silu", "mish"})
"""Activations without parameters."""

PENALISED = frozenset({"polyneuron_r"})

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "activation": {"name": "polyneuron_r", "scope": "layer", "options": {}},
    "network": {
        "name": "lenet5",
        "pooling": "max",
        "pad_first_convolution": True,
        "residual": "add_then_act",
        "weight_init": "he_normal",
    },
    "data": {
        "name": "mnist",
        "validation": "test",
        "held_out_images": 5000,
        "train_images": None,
    },
    "recipe": {
        "epochs": 30,
        "batch_size": 128,
        "learning_rate": 1e-3,
        "drop_at": [20 / 30, 25 / 30],
        "drop_factor": 0.1,
        "weight_decay": 1e-4,
        "decay": "coupled",
        "decay_on": "all",
        "betas": [0.9, 0.999],
        "epsilon": 1e-8,
        "activation_learning_rate": None,
        "pad": 4,
        "pad_before_normalising": True,
        "flip": "left_right",
        "normalise": "dataset",
        "drop_last": False,
        "lambda_sum": 1e-2,
        "lambda_prod": 0,
        "precision": "float32",
    },
}
"""Settings with their defaults, by section."""

OF_OTHER_NETWORKS: Mapping[str, tuple[str, ...]] = {
    "lenet5": ("residual",),
    "resnet20": ("pooling", "pad_first_convolution"),
}
"""Settings that a network has not."""

Form = dict[str, dict[str, Any]]


@lru_cache(maxsize=4096)
def current(config_json: str) -> tuple[str, str]:
    """Return identity and form of a configuration that was stored with version 1.

    Args:
        config_json: the configuration as version 1 wrote it: a setting that is missing had its
            default.

    Raises:
        ValueError: the text is not JSON.
    """
    text = json.dumps(_form(json.loads(config_json)), sort_keys=True)
    compact = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(compact.encode()).hexdigest()[:16], text


def _form(config: Mapping[str, Mapping[str, Any]]) -> Form:
    written = {name: {**known, **config.get(name, {})} for name, known in DEFAULTS.items()}
    activation, recipe = written["activation"], written["recipe"]
    name = activation["name"]
    activation["options"] = {**OPTIONS.get(name, {}), **activation["options"]}
    learned = name not in FIXED
    trained = learned and activation["options"].get("learn_beta", True)
    drops = [math.floor(at * recipe["epochs"] + 0.5) for at in recipe["drop_at"]]
    recipe["drop_at"] = sorted(drop for drop in drops if drop < recipe["epochs"])
    if recipe["activation_learning_rate"] == recipe["learning_rate"]:
        recipe["activation_learning_rate"] = None
    idle = {
        "activation": {"scope"} if not learned else set(),
        "network": set(OF_OTHER_NETWORKS.get(written["network"]["name"], ())),
        "data": {"held_out_images"} if written["data"]["validation"] != "held_out" else set(),
        "recipe": _idle(recipe, trained, name in PENALISED),
    }
    return {
        section: {key: _plain(value) for key, value in settings.items() if key not in idle[section]}
        for section, settings in written.items()
    }


def _idle(recipe: Mapping[str, Any], trained: bool, penalised: bool) -> set[str]:
    """Return the fields of a recipe that change nothing."""
    idle: set[str] = set()
    if not recipe["drop_at"]:
        idle |= {"drop_factor"}
    if recipe["weight_decay"] == 0:
        idle |= {"decay", "decay_on"}
    if recipe["pad"] == 0:
        idle |= {"pad_before_normalising"}
    if not trained:
        idle |= {"activation_learning_rate"}
    if not penalised:
        idle |= {"lambda_sum", "lambda_prod"}
    return idle


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2.0**53:
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
