"""From YAML to a `SweepSpec`: shorthands spelled out, and errors that name the field."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sweeps.spec.sections import Domain, SweepSpec
from trainers.bounds import out_of_bounds
from trainers.config import NetworkConfig
from trainers.networks import NETWORKS

KINDS = ("uniform", "log", "int", "choice", "grid")
UNION_MEMBERS = ("bool", "int", "float", "str")
OUT_OF_BOUNDS = ("greater_than", "greater_than_equal", "less_than", "predicate_failed")
"""Errors of pydantic for a number that the annotation of its field refuses."""
SHORT = {"search": "algorithm", "early_stopping": "rule", "objective": "metric"}
"""What a word in a section's place stands for; elsewhere it is a name."""
MOST_SEEDS = 10_000
PLAIN_WORDS = {
    "a valid array": "a list",
    "a valid integer": "an integer",
    "an object": "keys and values",
    "a valid ": "a ",
}
"""What pydantic calls things, and what a writer of YAML does."""


class SpecError(ValueError):
    """A specification that cannot be run; the message names the field, the value and the mend."""


UNREADABLE = (yaml.YAMLError, SpecError, TypeError, ValueError, RecursionError)
"""What goes wrong with text that is no YAML, or YAML that is no data."""


class _Loader(yaml.SafeLoader):
    """YAML 1.1, but 1e-4 is a number, and a key given twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise SpecError(f"line {node.start_mark.line + 1}: the key {key!r} is given twice")
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def bundled_names() -> list[str]:
    """Name the specifications that ship with the package."""
    folder = resources.files("sweeps") / "specs"
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_spec(source: str, overrides: Sequence[str] = (), name: str | None = None) -> SweepSpec:
    """Read a specification.

    Args:
        source: the name of a bundled specification, or the path of a YAML file.
        overrides: `key=value` settings; dots go into a section, values are YAML.
        name: the sweep's name, where it is not the specification's own.

    Raises:
        SpecError: with one or two lines that say what to mend.
    """
    raw = parse_yaml(_read(source), source)
    raw = with_settings(raw, overrides)
    if name is not None:
        raw["name"] = name
    raw.setdefault("name", Path(source).stem)
    return parse_spec(raw)


def with_settings(raw: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Apply `key=value` settings to a specification that was read but not yet checked.

    Raises:
        SpecError: a setting cannot be read, or would have no effect.
    """
    changed = copy.deepcopy(dict(raw))
    for override in overrides:
        _override(changed, override)
    for override in overrides:
        _refuse_idle(changed, override.partition("=")[0].strip())
    return changed


def parse_spec(raw: Mapping[str, Any]) -> SweepSpec:
    """Check a specification that was read already; a resolved one comes back unchanged."""
    full = _spell_out(raw)
    try:
        text = json.dumps(full, default=str)
    except (TypeError, ValueError) as error:
        raise SpecError(f"the specification is not plain data: {error}") from None
    try:
        return SweepSpec.model_validate_json(text)
    except ValidationError as error:
        raise SpecError(_first_lines(error)) from None


def _read(source: str) -> str:
    if source in bundled_names():
        return (resources.files("sweeps") / "specs" / f"{source}.yaml").read_text("utf-8")
    path = Path(source)
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        close = difflib.get_close_matches(source, bundled_names(), n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        known = ", ".join(bundled_names())
        raise SpecError(f"no specification {source!r}: {hint}bundled are {known}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot read the specification {source!r}: {error}") from None


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """Read keys and values from YAML text; `source` is named in errors.

    Raises:
        SpecError: it is no YAML, or something else than keys and values.
    """
    try:
        raw = yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise SpecError(f"{source}: sections within sections without end") from None
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise SpecError(f"{source} is not YAML: {where}") from None
    except (SpecError, TypeError, ValueError) as error:
        raise SpecError(f"{source}: {error}") from None
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise SpecError(f"{source}: expected keys and values, as in `search: grid`")
    return raw


def _override(raw: dict[str, Any], override: str) -> None:
    """Apply one `key=value` in place."""
    path, equals, text = override.partition("=")
    path = path.strip()
    if not equals or not path:
        raise SpecError(f"--set takes key=value, as in --set recipe.epochs=5; got {override!r}")
    try:
        value = yaml.load(text, Loader=_Loader)
    except UNREADABLE:
        raise SpecError(f"--set {path}: the value {text!r} is not YAML") from None
    keys = path.split(".")
    if keys[0] == "space" and len(keys) > 1:
        # Names inside `space` carry dots themselves, as apl.s does.
        name, dot, kind = path.removeprefix("space.").rpartition(".")
        keys = ["space", name if dot and kind in KINDS else path.removeprefix("space.")]
        value = {kind: value} if dot and kind in KINDS else value
    section = raw
    for key in keys[:-1]:
        inner = section.setdefault(key, {})
        if isinstance(inner, str):
            inner = section[key] = {SHORT.get(key, "name"): inner}
        if not isinstance(inner, dict):
            raise SpecError(f"--set {path}: {key} is no section; it is {inner!r}")
        section = inner
    section[keys[-1]] = value


def _refuse_idle(raw: Mapping[str, Any], path: str) -> None:
    """Refuse a setting of something that the space gives to each trial."""
    section, _, rest = path.partition(".")
    name = rest.removeprefix("options.") if section in ("recipe", "activation") else ""
    key = "activation" if path in ("activation", "activation.name") else name
    space = raw.get("space")
    if key and isinstance(space, Mapping) and key in space:
        raise SpecError(
            f"--set {path}: it would have no effect, for the space gives {key} to each trial;"
            f" set space.{key} instead"
        )


def _spell_out(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Replace shorthands by what they stand for; what is malformed is left to the checks."""
    full = dict(raw)
    for section, field in (("network", "name"), ("data", "name"), ("activation", "name")):
        if isinstance(full.get(section), str):
            full[section] = {field: full[section]}
    _spell_out_activations(full)
    for section, field in SHORT.items():
        if isinstance(full.get(section, {}), str):
            full[section] = {field: full[section]}
    _spell_out_trials(full)
    seeds = full.get("seeds", 5)
    if type(seeds) is int:
        if seeds < 1:
            raise SpecError(f"seeds: a trial needs at least one seed; got {seeds}")
        if seeds > MOST_SEEDS:
            raise SpecError(f"seeds: at most {MOST_SEEDS:,} a trial; got {seeds:,}")
        seeds = list(range(seeds))
    full["seeds"] = seeds
    full["recipe"] = _with_paper_recipe(full)
    if isinstance(full.get("space"), Mapping):
        full["space"] = {key: _domain(str(key), value) for key, value in full["space"].items()}
    return full


def _spell_out_activations(full: dict[str, Any]) -> None:
    """Take a list of activations as a parameter of the space."""
    names = full.get("activation")
    if not isinstance(names, list):
        return
    space = full.get("space", {})
    if not isinstance(space, Mapping):
        return
    if "activation" in space:
        raise SpecError("activation: a list here and one in the space; keep one of them")
    kind = "grid" if full.get("search") in ("grid", {"algorithm": "grid"}) else "choice"
    del full["activation"]
    full["space"] = {"activation": {kind: names}, **space}


def _spell_out_trials(full: dict[str, Any]) -> None:
    """Take the number of trials from the budget, where it is given there."""
    search, budget = full.setdefault("search", {}), full.get("budget")
    if not (isinstance(budget, Mapping) and "trials" in budget and isinstance(search, Mapping)):
        return
    if search.get("trials") is not None:
        raise SpecError("budget.trials: search.trials says it already; keep one of them")
    full["search"] = {**search, "trials": budget["trials"]}
    full["budget"] = {key: value for key, value in budget.items() if key != "trials"}


def _with_paper_recipe(full: Mapping[str, Any]) -> Any:
    network, recipe = full.get("network", {}), full.get("recipe", {})
    if not isinstance(recipe, Mapping):
        return recipe
    name = network.get("name") if isinstance(network, Mapping) else None
    # A name that is no network's is left to the checks, which say so.
    known = name if isinstance(name, str) and name in NETWORKS else NetworkConfig().name
    return {**dataclasses.asdict(NETWORKS[known].recipe), **recipe}


def _domain(key: str, raw: Any) -> Any:
    if isinstance(raw, bool | int | float | str):
        return {"kind": "fixed", "values": [raw]}
    shape = f"space.{key}: expected a value or one of {', '.join(KINDS)}: [...]; got {raw!r}"
    if not isinstance(raw, Mapping):
        raise SpecError(shape)
    if set(raw) == set(Domain.model_fields):
        return raw
    if len(raw) != 1:
        raise SpecError(shape)
    ((kind, values),) = raw.items()
    if kind not in KINDS or not isinstance(values, list | tuple):
        raise SpecError(shape)
    if not all(isinstance(value, bool | int | float | str) for value in values):
        raise SpecError(shape)
    return {"kind": kind, "values": list(values)}


def _first_lines(error: ValidationError) -> str:
    """Say the first two things that are wrong, a line each."""
    seen: dict[str, None] = {}
    for problem in error.errors(include_url=False):
        seen.setdefault(_line(problem["loc"], problem))
    lines = list(seen)
    more = [f"(and {len(lines) - 2} more)"] if len(lines) > 2 else []
    return "\n".join(lines[:2]) + (" " + more[0] if more else "")


def _line(location: tuple[int | str, ...], problem: Any) -> str:
    path = ".".join(str(part) for part in location if part not in UNION_MEMBERS)
    kind = problem["type"]
    if kind == "json_invalid":
        return f"the specification is not plain data: {problem['msg']}"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return _unknown_key(location)
    section = _trainers_section(location)
    if section is not None and kind in OUT_OF_BOUNDS:
        return f"{location[0]}: {out_of_bounds(section, str(location[1]), problem['input'])}"
    if section is not None and kind == "value_error":
        return f"{path}.{problem['msg'].removeprefix('Value error, ')}"
    if kind == "value_error":
        message = problem["msg"].removeprefix("Value error, ")
        return f"{path}: {message}" if path else message
    if kind == "missing":
        return f"{path}: missing, and it has no default"
    if path == "name":
        return (
            f"name: expected up to 64 letters, digits, '-', '_' and '.'; got {problem['input']!r}"
        )
    message = problem["msg"].replace("Input should be", "expected")
    for jargon, plain in PLAIN_WORDS.items():
        message = message.replace(jargon, plain)
    if location and location[-1] in UNION_MEMBERS:
        message = "expected a number, text, true or false"
    got = repr(problem["input"])
    return f"{path}: {message}; got {got if len(got) < 80 else got[:77] + '...'}"


def _trainers_section(location: tuple[int | str, ...]) -> type | None:
    """Return the dataclass of `trainers` in which an error is; its messages begin with a field."""
    field = SweepSpec.model_fields.get(str(location[0])) if location else None
    kind = field.annotation if field is not None else None
    return kind if isinstance(kind, type) and dataclasses.is_dataclass(kind) else None


def _unknown_key(location: tuple[int | str, ...]) -> str:
    *sections, key = (str(part) for part in location)
    known = _known_keys(sections)
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    return f"{'.'.join((*sections, key))}: unknown key; {hint}"


def _known_keys(sections: Iterable[str]) -> list[str]:
    known: Any = SweepSpec
    for section in sections:
        annotation = known.model_fields[section].annotation if known is SweepSpec else None
        known = annotation if annotation is not None else Domain
    if dataclasses.is_dataclass(known):
        return [field.name for field in dataclasses.fields(known)]
    return list(getattr(known, "model_fields", {}))
