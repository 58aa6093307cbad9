"""Networks and data that are not ours, as a specification names them: spelt out and completed."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.spec.errors import SpecError, hint
from sweeps.spec.own_modules import OwnModules, imported, is_own
from trainers.config import OptionValue

GIVEN = {"network": ("in_channels", "classes", "image_size"), "data": ()}
"""Arguments that are no options: a run gives them to the function."""

OPTIONS = {"network_options": "network", "data_options": "data"}
"""Keys beside a section that name the options in it."""

PLAIN_IMAGES = {"pad": 0, "flip": "none"}
"""The augmentation of images that are not ours, unless the recipe has another: what leaves a
label as it is depends on the images."""


def spell_out_options(full: dict[str, Any]) -> None:
    """Move options, and what is replaced, into the sections that they belong to.

    Raises:
        SpecError: a section has them already.
    """
    for key, section in (*OPTIONS.items(), ("replace", "network")):
        if key not in full:
            continue
        inside = "replace" if key == "replace" else "options"
        value, now = full.pop(key), full.get(section, {})
        if not isinstance(now, Mapping) or inside in now:
            raise SpecError(f"{key}: {section}.{inside} says it already; keep one of them")
        full[section] = {**now, inside: value}


def complete(full: dict[str, Any], section: str, folder: Path) -> None:
    """Complete a section that names a network or data that are not ours.

    Args:
        full: the specification; what is complete stays as it is.
        section: `network` or `data`.
        folder: of the specification, below which a user's modules and images are.

    Raises:
        SpecError: no such module, function or option.
    """
    part = full.get(section)
    name = part.get("name") if isinstance(part, Mapping) else None
    if not isinstance(part, Mapping):
        return
    if not isinstance(name, str) or ":" not in name:
        _refuse_options(part, section, name)
        return
    if section == "network":
        part = {"weight_init": "own", **part}
    elif name.startswith("folder:") and not part.get("folder"):
        path = (folder / name.removeprefix("folder:")).resolve()
        part = {**part, "name": f"folder:{path.name}", "folder": str(path)}
    if is_own(name) and not part.get("code"):
        modules = OwnModules(name, folder)
        modules.use()
        options = part.get("options", {})
        given = options if isinstance(options, Mapping) else {}
        first = section == "data" or not part.get("replace")
        found = _completed(name, section, first, given, _fixed_values(full))
        part = {**part, "code": modules.code, "options": found if given is options else options}
    full[section] = part
    if section == "network":
        _qualify(full, part.get("options", {}))


def _refuse_options(part: Mapping[str, Any], section: str, name: object) -> None:
    for key in ("options", "replace"):
        if part.get(key):
            own = "network: my_models:net" if section == "network" else "data: my_data:load"
            raise SpecError(
                f"{section}.{key}: only a {section} that is not ours has any, as `{own}`; got"
                f" {name or 'none'}"
            )


def _completed(
    name: str, section: str, first: bool, given: Mapping[str, Any], searched: Mapping[str, Any]
) -> dict[str, Any]:
    """Complete the options of a function by the defaults in its signature."""
    function = imported(name)
    if not callable(function):
        raise SpecError(f"{section}: {name} is no function; got {type(function).__name__}")
    parameters = list(inspect.signature(function).parameters.values())
    open_ended = any(one.kind is one.VAR_KEYWORD for one in parameters)
    parameters = [
        one for one in parameters if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    ]
    options = [one for one in parameters[first:] if one.name not in GIVEN[section]]
    known = [one.name for one in options]
    for key in given:
        if key not in known and not open_ended:
            raise SpecError(
                f"{section}_options.{key}: no option of {name}; "
                + (hint(key, known) if known else "it has none")
            )
    found: dict[str, Any] = {}
    for one in options:
        if one.name in given:
            continue
        if one.default is one.empty:
            if one.name not in searched:
                raise SpecError(
                    f"{section}_options.{one.name}: missing, and {name} has no default for it"
                )
            found[one.name] = searched[one.name]
        elif isinstance(one.default, OptionValue):
            found[one.name] = one.default
    return {**found, **given}


def _fixed_values(full: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first value of each parameter of the space, by its name."""
    space = full.get("space")
    domains = space.items() if isinstance(space, Mapping) else ()
    return {
        str(key).removeprefix("network."): domain["values"][0]
        for key, domain in domains
        if isinstance(domain, Mapping) and domain.get("values")
    }


def _qualify(full: dict[str, Any], options: object) -> None:
    """Name the network's options in the space as `network.width`, however they were written."""
    space = full.get("space")
    if not isinstance(space, Mapping) or not isinstance(options, Mapping):
        return
    named = {}
    for key, domain in space.items():
        if key in options:
            _refuse_ambiguous(full, str(key))
            key = f"network.{key}"
        named[key] = domain
    full["space"] = named


def _refuse_ambiguous(full: Mapping[str, Any], key: str) -> None:
    from polyneuron import activation_names, activation_options

    recipe, activation = full.get("recipe", {}), full.get("activation", {})
    names = [activation.get("name", "polyneuron_r")] if isinstance(activation, Mapping) else []
    varied = full["space"].get("activation", {})
    names += varied.get("values", []) if isinstance(varied, Mapping) else []
    others = [
        name for name in names if name in activation_names() and key in activation_options(name)
    ]
    if key in recipe or key in ("activation", "scope"):
        others.append("the recipe" if key in recipe else "every trial")
    if others:
        raise SpecError(
            f"space.{key}: the network has it, and so has {others[0]}; write network.{key} for the"
            " network's"
        )
