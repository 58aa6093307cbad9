"""Runs of equal columns that must not be averaged: other code, other data, other hidden keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd

from analysis.measures.origins import origins
from analysis.measures.values import SETTING

_SHOWN = frozenset(
    {
        *("network.name", "data.name", "data.validation", "activation.name", "activation.scope"),
        *("options.s", "options.k", "options.init", "recipe.epochs", "recipe.learning_rate"),
        *("recipe.lambda_sum", "recipe.lambda_prod"),
    }
)
"""Keys of the configuration that are columns of `runs`."""


def apart(frame: pd.DataFrame, other_keys: bool = True) -> pd.Series:
    """Return what sets each run apart from others of its setting, in words; empty if nothing does.

    Only runs of one training code, one data hash and one configuration stand together. The keys
    that no column shows, as `recipe.epsilon`, are named with their values where runs of one
    activation differ in them.

    Args:
        frame: rows of `values`.
        other_keys: False: name the code and the data alone.
    """
    found: dict[object, str] = {}
    for _, group in frame.groupby(list(SETTING), observed=True):
        named = [_origins_in_words(group), *([_keys_in_words(group)] if other_keys else [])]
        both = ("; ".join(filter(None, words)) for words in zip(*named, strict=True))
        found |= zip(group.index, both, strict=True)
    return pd.Series([found[row] for row in frame.index], index=frame.index, dtype=object)


def _origins_in_words(group: pd.DataFrame) -> list[str]:
    found = origins(group)
    return [origin.printed if found.nunique() > 1 else "" for origin in found]


def _keys_in_words(group: pd.DataFrame) -> list[str]:
    found = dict.fromkeys(group.index, "")
    for _, own in group.groupby("activation", observed=True):
        texts = own["config_json"].astype(object).fillna("{}")
        configurations = [_unseen(text) for text in texts.unique()]
        if len(configurations) < 2:
            continue
        names = {name for one in configurations for name in one}
        differing = [n for n in sorted(names) if len({one.get(n) for one in configurations}) > 1]
        found |= {
            row: "; ".join(f"{name} = {_unseen(text).get(name, 'not set')}" for name in differing)
            for row, text in texts.items()
        }
    return list(found.values())


@cache  # many runs have the same text
def _unseen(config_json: str) -> Mapping[str, str]:
    """Return the keys of a configuration that no column shows, with their values as text."""
    config: dict[str, dict[str, Any]] = json.loads(config_json)
    options = config.get("activation", {}).get("options", {})
    sections = {**config, "options": options}
    return {
        f"{section}.{name}": json.dumps(value)
        for section, values in sections.items()
        if isinstance(values, dict)
        for name, value in values.items()
        if f"{section}.{name}" not in _SHOWN and (section, name) != ("activation", "options")
    }
