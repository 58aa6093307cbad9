"""Changes since a sweep began: of its specification, the training code and the data."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping

import yaml

from analysis.store.contract import Row
from analysis.store.errors import StoreError
from analysis.store.whole_files import write_atomically
from sweeps.spec.reading import parse_spec
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_files, code_version
from trainers.data.sources import data_root
from trainers.networks.registry import input_side

FREE = ("budget", "concurrency", "limits", "priority")
"""Sections that decide how much is trained and how fast, and no result."""
SHOWN = 12
"""Lines of a diff that are shown; the others are counted."""


def refuse_changes(
    paths: SweepPaths, row: Row, data_trained_on: Iterable[str], spec: SweepSpec
) -> None:
    """Compare a sweep as it was last run with the specification, code and data of now.

    Args:
        paths: of the sweep.
        row: the sweep's, of the table `sweeps`.
        data_trained_on: hashes of the data of its runs.
        spec: the specification to go on with.

    Raises:
        StoreError: there are changes; the message is their diff.
    """
    changes = spec_changes(parse_spec(json.loads(row["spec_json"])), spec)
    changes += _code_changes(paths, str(row["code_version"]))
    changes += _data_changes(sorted(set(data_trained_on)), spec)
    if not changes:
        return
    more = [f"(and {len(changes) - SHOWN} more)"] if len(changes) > SHOWN else []
    diff = "\n  ".join([*changes[:SHOWN], *more])
    raise StoreError(
        f"the sweep {paths.sweep!r} has changed since it was last run:\n  {diff}\nOld and new runs"
        " would not be comparable: start another sweep, or go on with --accept-changes"
    )


def note_code(paths: SweepPaths) -> None:
    """Keep the hash of each file of the training code, so that a diff can name files."""
    write_atomically(paths.code, json.dumps(code_files(), indent=1).encode())


def spec_changes(before: SweepSpec, now: SweepSpec) -> list[str]:
    """List the settings that differ, a line each."""
    old, new = _settings(before), _settings(now)
    return [
        f"{key}: {_shown(old, key)} -> {_shown(new, key)}"
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key) and key.partition(".")[0] not in FREE
    ]


def _settings(spec: SweepSpec) -> dict[str, object]:
    """List all settings by their paths, as `recipe.epochs`, and each domain as it is written."""
    others = _flat(spec.model_dump(mode="json", exclude={"space"}))
    return {**others, **{f"space.{key}": domain.written for key, domain in spec.space.items()}}


def _code_changes(paths: SweepPaths, before: str) -> list[str]:
    if before == code_version():
        return []
    line = f"training code: {before} -> {code_version()}"
    try:
        old = json.loads(paths.code.read_text("utf-8"))
    except FileNotFoundError:
        return [line]  # the sweep was begun by a version that kept no hashes
    new = code_files()
    words = {True: "is new", False: "changed"}
    changed = [f"{file} {words[file not in old]}" for file in new if old.get(file) != new[file]]
    return [line, *changed, *(f"{file} is gone" for file in old if file not in new)]


def _data_changes(trained_on: list[str], spec: SweepSpec) -> list[str]:
    if not trained_on:
        return []
    # Here, as it takes a second to import torch.
    from trainers.data.datasets import load_configured

    here = load_configured(spec.data, data_root(), input_side(spec.network.name)).sha256
    return [f"data: {one[:12]} -> {here[:12]}" for one in trained_on if one != here]


def _flat(value: object, path: str = "") -> dict[str, object]:
    """List the leaves of nested sections by their paths, as `recipe.epochs`."""
    # An empty section is a leaf too: else one that vanishes would be no change.
    if not isinstance(value, dict) or not value:
        return {path: value}
    inner = [_flat(part, f"{path}.{key}" if path else key) for key, part in value.items()]
    return {key: one for part in inner for key, one in part.items()}


def _shown(values: Mapping[str, object], key: str) -> str:
    if key not in values:
        return "not there"
    value = values[key]
    # As a specification has it: without quotation marks.
    if isinstance(value, dict):
        return yaml.safe_dump(value, default_flow_style=True, width=math.inf).strip()
    return json.dumps(value)
