"""Settings given as `key=value`, as `--set` takes them, on top of a specification."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.spec.domain import KINDS
from sweeps.spec.errors import SpecError
from sweeps.spec.shorthands import WORDS
from sweeps.spec.yaml_text import parse_value


def with_settings(raw: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Apply `key=value` settings to a specification that was read but not yet checked.

    Raises:
        SpecError: a setting cannot be read, or would have no effect.
    """
    changed = copy.deepcopy(dict(raw))
    for setting in settings:
        _apply(changed, setting)
    # After all are applied, as one of them may have put the parameter into the space.
    for setting in settings:
        _refuse_without_effect(changed, setting.partition("=")[0].strip())
    return changed


def _apply(raw: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    path = path.strip()
    if not equals or not path:
        raise SpecError(f"--set takes key=value, as in --set recipe.epochs=5; got {setting!r}")
    try:
        value = parse_value(text, path)
    except SpecError:
        raise SpecError(f"--set {path}: the value {text!r} is not YAML") from None
    keys = path.split(".")
    if keys[0] == "space" and len(keys) > 1:
        # Names inside `space` carry dots themselves, as apl.s does.
        parameter = path.removeprefix("space.")
        name, dot, kind = parameter.rpartition(".")
        of_a_kind = bool(dot) and kind in KINDS
        keys = ["space", name if of_a_kind else parameter]
        value = {kind: value} if of_a_kind else value
    section = raw
    for key in keys[:-1]:
        inner = section.setdefault(key, {})
        if isinstance(inner, str):
            inner = section[key] = {WORDS.get(key, "name"): inner}
        if not isinstance(inner, dict):
            raise SpecError(f"--set {path}: {key} is no section; it is {inner!r}")
        section = inner
    section[keys[-1]] = value


def _refuse_without_effect(raw: Mapping[str, Any], path: str) -> None:
    """Refuse to set what the space gives to each trial."""
    section, _, rest = path.partition(".")
    name = rest.removeprefix("options.") if section in ("recipe", "activation") else ""
    key = "activation" if path in ("activation", "activation.name") else name
    space = raw.get("space")
    if key and isinstance(space, Mapping) and key in space:
        raise SpecError(
            f"--set {path}: it would have no effect, for the space gives {key} to each trial;"
            f" set space.{key} instead"
        )
