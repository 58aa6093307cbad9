"""Shorthands of a specification, and what each stands for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweeps.spec.algorithms import ALGORITHMS
from sweeps.spec.domain import KINDS, REFINEMENTS, Domain
from sweeps.spec.errors import SpecError
from sweeps.spec.foreign import PLAIN_IMAGES, complete, spell_out_options
from sweeps.spec.own_trainer import complete_trainer
from sweeps.spec.sections import MAX_SEEDS
from trainers.config import NetworkConfig, OptionValue
from trainers.networks import NETWORKS

WORDS = {
    "trainer": "name",
    "network": "name",
    "data": "name",
    "activation": "name",
    "search": "algorithm",
    "early_stopping": "rule",
    "objective": "metric",
}
"""Sections in whose place a word may stand, and the field whose value it then is."""
CONDITIONS = {"when", "if", "condition", "conditions", "requires"}
"""Keys by which other tools say to which trials a parameter applies."""
SEEDS = 5


def spell_out(raw: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Replace the shorthands of a specification; what is malformed is left to the checks.

    Args:
        raw: the specification as it was read.
        folder: of the specification, below which a user's modules and images are.

    Returns:
        The specification, and what is wrong with shorthands: those are left out of it.
    """
    full = dict(raw)
    malformed: list[str] = []

    @contextmanager
    def noting(key: str) -> Iterator[None]:
        try:
            yield
        except SpecError as error:
            malformed.append(str(error))
            full.pop(key, None)

    with noting("activation"):
        _spell_out_activations(full)
    full.setdefault("search", {})
    for section, key in WORDS.items():
        if isinstance(full.get(section), str):
            full[section] = {key: full[section]}
    with noting(""):
        spell_out_options(full)
    with noting("budget"):
        _spell_out_trials(full)
    with noting("seeds"):
        full["seeds"] = _seeds(full.get("seeds", SEEDS))
    full.setdefault("seeds", [0])
    full["recipe"] = _with_paper_recipe(full)
    if isinstance(full.get("space"), Mapping):
        space = full["space"] = dict(full["space"])
        for key, value in list(space.items()):
            with noting(""):
                del space[key]
                space[key] = _domain(str(key), value)
    with noting("trainer"):
        complete_trainer(full, folder)
    for section in ("network", "data"):
        with noting(section):
            complete(full, section, folder)
    return full, malformed


def _spell_out_activations(full: dict[str, Any]) -> None:
    """Turn a list of activations into a parameter of the space."""
    names, space = full.get("activation"), full.get("space", {})
    if not (isinstance(names, list) and isinstance(space, Mapping)):
        return
    if "activation" in space:
        raise SpecError("activation: a list here and one in the space; keep one of them")
    search = full.get("search")
    name = search.get("algorithm") if isinstance(search, Mapping) else search
    method = ALGORITHMS.get(name) if isinstance(name, str) else None
    kind = "grid" if method is not None and method.walks_grid else "choice"
    del full["activation"]
    full["space"] = {"activation": {kind: names}, **space}


def _spell_out_trials(full: dict[str, Any]) -> None:
    """Move the number of trials from the budget, where it may be given, to the search."""
    search, budget = full["search"], full.get("budget")
    if not (isinstance(budget, Mapping) and "trials" in budget and isinstance(search, Mapping)):
        return
    if search.get("trials") is not None:
        raise SpecError("budget.trials: search.trials says it already; keep one of them")
    full["search"] = {**search, "trials": budget["trials"]}
    full["budget"] = {key: value for key, value in budget.items() if key != "trials"}


def _seeds(seeds: object) -> object:
    if not isinstance(seeds, int) or isinstance(seeds, bool):  # to isinstance, True is an integer
        return seeds
    if seeds < 1:
        raise SpecError(f"seeds: a trial needs at least one seed; got {seeds}")
    if seeds > MAX_SEEDS:
        raise SpecError(f"seeds: at most {MAX_SEEDS:,} a trial; got {seeds:,}")
    return list(range(seeds))


def _with_paper_recipe(full: Mapping[str, Any]) -> object:
    """Add the settings of the paper's recipe for the network that the recipe leaves out."""
    network, recipe = full.get("network", {}), full.get("recipe", {})
    if not isinstance(recipe, Mapping):
        return recipe
    name = network.get("name") if isinstance(network, Mapping) else None
    # A name that is no network's is left to the checks, which say so.
    known = name if isinstance(name, str) and name in NETWORKS else NetworkConfig().name
    data = full.get("data", {})
    images = data.get("name") if isinstance(data, Mapping) else None
    plain = PLAIN_IMAGES if isinstance(images, str) and ":" in images else {}
    return {**dataclasses.asdict(NETWORKS[known].recipe), **plain, **recipe}


def _domain(key: str, raw: object) -> object:
    if isinstance(raw, OptionValue):
        return {"kind": "fixed", "values": [raw]}
    if isinstance(raw, Mapping) and {"kind", "values"} <= set(raw) <= set(Domain.model_fields):
        return raw
    items = raw if isinstance(raw, Mapping) else {}
    # `log` is a kind with a list, and beside `int` a refinement.
    kinds = [kind for kind in KINDS if isinstance(items.get(kind), list | tuple)]
    if len(kinds) == 1 and set(items) <= {*kinds, *REFINEMENTS}:
        (kind,) = kinds
        values, when = list(items[kind]), items.get("when", {})
        if all(isinstance(value, OptionValue) for value in values) and isinstance(when, Mapping):
            refined = {name: items[name] for name in REFINEMENTS if name in items and name != kind}
            refined["when"] = {parent: _as_list(one) for parent, one in when.items()}
            return {"kind": kind, "values": values, **refined}
    advice = ""
    if CONDITIONS.intersection(items):
        advice = (
            "; a condition is `when: {optimizer: [sgd]}`, and a parameter of an activation is drawn"
            " for the activations that have it without one"
        )
    elif isinstance(raw, list) and raw and all(isinstance(value, OptionValue) for value in raw):
        advice = f"; write {{choice: {raw}}}"
    raise SpecError(
        f"space.{key}: expected a value or one of {', '.join(KINDS)}: [...], with"
        f" {' or '.join(REFINEMENTS)} beside it; got {raw!r}{advice}"
    )


def _as_list(one: object) -> object:
    return [one] if isinstance(one, OptionValue) else one
