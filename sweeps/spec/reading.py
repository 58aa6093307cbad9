"""From a YAML file, or what such a file holds, to a checked `SweepSpec`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sweeps.spec.errors import SpecError, hint
from sweeps.spec.overrides import with_settings
from sweeps.spec.refusals import refusal
from sweeps.spec.sections import SweepSpec
from sweeps.spec.shorthands import spell_out
from sweeps.spec.yaml_text import parse_yaml

MAX_BYTES = 200_000
"""Longest file that is read as a specification."""

SPECS = resources.files("sweeps") / "specs"


def bundled_names() -> list[str]:
    """Name the specifications that ship with the package."""
    return sorted(entry.name[:-5] for entry in SPECS.iterdir() if entry.name.endswith(".yaml"))


def load_spec(source: str, settings: Sequence[str] = (), name: str | None = None) -> SweepSpec:
    """Read a specification.

    Args:
        source: the name of a bundled specification, or the path of a YAML file.
        settings: `key=value` settings; dots go into a section, values are YAML.
        name: the sweep's name, where it is not the specification's own.

    Raises:
        SpecError: with one or two lines that say what to mend.
    """
    raw = with_settings(parse_yaml(_text(source), source), settings)
    if name is not None:
        raw["name"] = name
    raw.setdefault("name", Path(source).stem)
    return parse_spec(raw, None if source in bundled_names() else Path(source).parent)


def parse_spec(raw: Mapping[str, Any], folder: Path | None = None) -> SweepSpec:
    """Check a specification that was read already; a resolved one comes back unchanged.

    Args:
        raw: its keys and values.
        folder: below which a user's modules and images are; None: the current one.

    Raises:
        SpecError: with one or two lines that say what to mend.
    """
    full, malformed = spell_out(raw, (folder or Path()).resolve())
    # Through JSON, as strict pydantic takes a list for a tuple in JSON and not in Python.
    try:
        text = json.dumps(full, default=str)
    except (TypeError, ValueError) as error:
        raise SpecError(f"the specification is not plain data: {error}") from None
    try:
        spec = SweepSpec.model_validate_json(text)
    except ValidationError as error:
        raise refusal(error, malformed) from None
    if malformed:
        raise refusal(None, malformed)
    return spec


def _text(source: str) -> str:
    if source in bundled_names():
        return (SPECS / f"{source}.yaml").read_text("utf-8")
    try:
        # Bounded, as devices and pipes may never end.
        with Path(source).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise SpecError(f"{source}: longer than {MAX_BYTES:,} bytes; is it a specification?")
        return content.decode("utf-8")
    except FileNotFoundError:
        if "/" in source or source.endswith((".yaml", ".yml")):
            raise SpecError(f"no such file: {source}") from None
        known = hint(source, bundled_names())
        raise SpecError(f"no specification {source!r}: {known}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot read the specification {source!r}: {error}") from None
