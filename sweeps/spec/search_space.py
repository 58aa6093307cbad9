"""The space of a sweep: which parameters apply to which activation, and what a trial makes of them.

A parameter of the space is one of

- `activation` and `scope`;
- `s` and `k`: control points and order of U_k, of the PolyNeurons;
- `lambda_sum` and `lambda_prod`: the penalties of eq. 4, of PolyNeuron-R;
- any other setting of the recipe, as `learning_rate` or `weight_decay`;
- any option of an activation, as `init`; or `apl.s`, where only one of them is meant;
- any option of a network that is not ours, as `network.width`.

A parameter that does not apply to a trial's activation is not drawn for that trial.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from sweeps.spec.domain import RANGES, Domain
from sweeps.spec.errors import SpecError, hint
from sweeps.spec.hypotheses import check_hypotheses
from sweeps.spec.reading import parse_spec
from sweeps.spec.repetitions import REPETITION, interleaved, parameters
from sweeps.spec.sections import SweepSpec
from trainers.config import SCOPES, ActivationConfig, Configuration, OptionValue, Recipe
from trainers.function import FunctionCall

if TYPE_CHECKING:
    from polyneuron.activations.activation import Activation

Params = dict[str, OptionValue]

NETWORK = "network"
"""Stands before the dot in the name of an option of the network."""
SPLINE_PARAMETERS = ("s", "k")
PENALTIES = ("lambda_sum", "lambda_prod")
MOST_POINTS = 100_000
"""A grid is listed in memory, and compared with what the study has."""
RECIPE_SETTINGS = tuple(field.name for field in dataclasses.fields(Recipe))


def applies(key: str, activation: str) -> bool:
    """Return True if a parameter of the space matters to a trial with this activation."""
    owner, dot, _ = key.partition(".")
    if dot:
        return owner in (NETWORK, activation)
    if key in SPLINE_PARAMETERS:
        return activation in _names() and _class(activation).splines
    if key in PENALTIES:
        return activation in _names() and _class(activation).penalised
    if key == "scope":
        return activation in _names() and _class(activation).learned
    return key == "activation" or key in RECIPE_SETTINGS or key in _options(activation)


def is_drawn(spec: SweepSpec, key: str, params: Mapping[str, OptionValue]) -> bool:
    """Return True if a parameter is drawn for a trial that has these parameters so far."""
    conditions = spec.space[key].when.items() if key in spec.space else ()
    if any(params.get(parent) not in values for parent, values in conditions):
        return False
    if spec.trainer is not None or key == REPETITION:
        return True
    return applies(key, str(params.get("activation", spec.activation.name)))


def grid(spec: SweepSpec) -> list[Params]:
    """List every trial of a grid search once, in the order in which they are run."""
    points = grid_points(spec)
    return interleaved(spec, points) if spec.purpose == "timing" else points


def grid_points(spec: SweepSpec) -> list[Params]:
    """List every configuration of a grid search once, in the order of the specification."""
    points: dict[tuple[tuple[str, OptionValue], ...], None] = {}
    ordered = {key: one for key, one in parameters(spec).items() if key != REPETITION}
    for values in itertools.product(*(domain.values for domain in ordered.values())):
        point = dict(zip(ordered, values, strict=True))
        kept: Params = {}
        for key, value in point.items():
            if is_drawn(spec, key, kept):
                kept[key] = value
        # Points that differ in a parameter that does not apply are one trial.
        points.setdefault(tuple(kept.items()))
    return [dict(point) for point in points]


def trial_count(spec: SweepSpec) -> int:
    """Count the trials of a sweep."""
    return len(grid(spec)) if spec.search.method.walks_grid else spec.search.trials or 0


def identity(spec: SweepSpec, params: Params) -> str:
    """Return the identity of what a trial with these parameters trains."""
    own = spec.trainer is not None
    return (called_with(spec, params) if own else configure(spec, params)).config_id


def called_with(spec: SweepSpec, params: Params) -> FunctionCall:
    """Return the call of the user's training function with a trial's parameters."""
    assert spec.trainer is not None
    return FunctionCall(spec.trainer.name, spec.trainer.code, params)


def configure(spec: SweepSpec, params: Params) -> Configuration:
    """Build the configuration of a trial from its parameters.

    Raises:
        ValueError: the recipe refuses a value; the message names the setting.
    """
    name = str(params.get("activation", spec.activation.name))
    options: Params = dict(spec.activation.options) if name == spec.activation.name else {}
    scope = spec.activation.scope
    recipe: dict[str, OptionValue] = {}
    network = dict(spec.network.options)
    for key, value in params.items():
        owner, _, option = key.rpartition(".")
        if owner == NETWORK:
            network[option] = value
        elif key in RECIPE_SETTINGS:
            recipe[key] = value
        elif key == "scope":
            scope = value  # type: ignore[assignment]
        elif key not in ("activation", REPETITION):
            options[option] = value
    return Configuration(
        activation=ActivationConfig(name=name, scope=scope, options=options),
        network=dataclasses.replace(spec.network, options=network),
        data=spec.data,
        recipe=dataclasses.replace(spec.recipe, **recipe),  # type: ignore[arg-type]
    )


def check(spec: SweepSpec) -> list[str]:
    """Check each value against the activations and the recipe, which know their own bounds.

    Returns:
        Warnings of settings that are allowed but ill-posed.

    Raises:
        SpecError: names the parameter, its value and what is expected.
    """
    points = math.prod(len(domain.values) for domain in spec.space.values())
    if spec.search.method.walks_grid and points > MOST_POINTS:
        raise SpecError(f"space: its grid has {points:,} points; at most {MOST_POINTS:,} are run")
    _check_ranges(spec)
    if spec.hypotheses:
        check_hypotheses(spec.hypotheses, spec.space, grid(spec))
    if spec.trainer is not None:
        return []
    varied = "activation" in spec.space
    for name in spec.activation_names():
        _known("space.activation" if varied else "activation.name", name, _names(), "activation")
    for option in spec.activation.options:
        known = list(_options(spec.activation.name))
        _known(f"activation.options.{option}", option, known, "option")
    notes: dict[str, None] = {}
    for name in spec.activation_names():
        own = dict(spec.activation.options) if name == spec.activation.name else {}
        notes.update(_build("activation.options", name, spec.activation.scope, own))
    for key, domain in spec.space.items():
        notes.update(_check_parameter(spec, key, domain))
    return list(notes)


def _check_ranges(spec: SweepSpec) -> None:
    # CMA-ES moves only in the ranges that every trial has; Optuna draws all others at random.
    if not spec.search.method.needs_ranges:
        return
    names = spec.activation_names()
    ranges = [
        key
        for key, domain in spec.space.items()
        if domain.kind in RANGES and not domain.when and all(applies(key, name) for name in names)
    ]
    if len(ranges) < 2:
        raise SpecError(
            f"search: {spec.search.algorithm} needs at least two ranges ({', '.join(RANGES)}) that"
            f" apply to every trial; the space has {len(ranges)}; search with tpe"
        )


def _check_parameter(spec: SweepSpec, key: str, domain: Domain) -> dict[str, None]:
    owner, dot, option = key.rpartition(".")
    if owner == NETWORK:
        _known(f"space.{key}", option, list(spec.network.options), "option of the network")
        return {}
    names = [name for name in spec.activation_names() if applies(key, name)]
    if dot:
        _known(f"space.{key}", owner, _names(), "activation")
        _known(f"space.{key}", option, list(_options(owner)), "option")
    if not names:
        known = ["activation", "scope", *RECIPE_SETTINGS]
        known += sorted({option for name in spec.activation_names() for option in _options(name)})
        raise SpecError(
            f"space.{key}: not a parameter of {', '.join(spec.activation_names())};"
            f" {hint(key, [one for one in known if one != key])}"
        )
    notes: dict[str, None] = {}
    for value in values_to_check(domain):
        if key in RECIPE_SETTINGS:
            _check_recipe(spec, key, value)
        elif key == "scope":
            _known("space.scope", str(value), SCOPES, "scope")
        elif key != "activation":
            for name in names:
                own = dict(spec.activation.options) if name == spec.activation.name else {}
                options = {**own, option: value}
                notes.update(_build(f"space.{key}", name, spec.activation.scope, options))
    return notes


def _check_recipe(spec: SweepSpec, key: str, value: OptionValue) -> None:
    resolved = spec.model_dump(mode="json")
    resolved["recipe"][key] = value
    try:
        parse_spec(resolved)
    except SpecError as error:
        advice = "; draw integers with int: [low, high]" if type(value) is float else ""
        advice = advice if "expected an integer" in str(error) else ""
        raise SpecError(f"space.{key}: {str(error).rpartition(f'{key}: ')[2]}{advice}") from None


def _build(place: str, name: str, scope: str, options: Params) -> dict[str, None]:
    """Build the activation to have its own checks made; return its warnings."""
    from polyneuron import make_activation

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            # One channel is enough: no check depends on their number.
            make_activation(name, channels=1, scope=scope, **options)  # type: ignore[arg-type]
        except ValueError as error:
            raise SpecError(f"{place}: {error}") from None
    return dict.fromkeys(str(warning.message) for warning in caught)


def values_to_check(domain: Domain) -> Sequence[OptionValue]:
    """List the values of a domain to check: of a range its ends, and some that lie between.

    A range of numbers draws fractions, which a setting that counts something cannot take.
    """
    if domain.kind == "int":
        low, high = (int(value) for value in domain.values)
        return [*range(low, min(high, low + 65)), high]
    if domain.kind in RANGES:
        first, last = (float(value) for value in domain.values)
        within = first + (domain.step or (last - first) / math.pi)
        return [within, first, last]
    return domain.values


def _names() -> Sequence[str]:
    from polyneuron import activation_names  # torch takes a second to import

    return activation_names()


# Asked for each parameter of each trial.
@lru_cache
def _options(activation: str) -> Mapping[str, object]:
    from polyneuron import activation_options

    return activation_options(activation) if activation in _names() else {}


def _class(activation: str) -> type[Activation]:
    from polyneuron import activation_class

    return activation_class(activation)


def _known(place: str, name: str, known: Sequence[str], noun: str) -> None:
    if name not in known:
        raise SpecError(f"{place}: no {noun} {name!r}; {hint(name, known)}")
