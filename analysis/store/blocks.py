"""Blocks of seeds: each gives some trials of a sweep more seeds than its specification has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import pandas as pd

AddedSeeds = Mapping[str, tuple[int, ...]]
"""Seeds beyond those of the specification, by the identity of a trial's configuration."""


@dataclass(frozen=True)
class Block:
    """Seeds that were given to some trials at one time."""

    claims: tuple[str, ...]
    """Ids of the claims that the seeds are to decide; for any other claim they do not count."""
    seeds: Mapping[int, tuple[int, ...]]
    """By the trial's number."""


def blocks_json(blocks: Iterable[Block]) -> str:
    """Write blocks for the column `blocks_json` of `sweeps`."""
    return json.dumps([asdict(block) for block in blocks])


def read_blocks(text: object) -> tuple[Block, ...]:
    """Read the column `blocks_json`, in the order in which blocks were added; null: none."""
    return tuple(
        Block(
            tuple(one["claims"]),
            {int(trial): tuple(seeds) for trial, seeds in one["seeds"].items()},
        )
        for one in (json.loads(text) if isinstance(text, str) else ())
    )


def added_seeds(blocks: Iterable[Block], trials: pd.DataFrame) -> AddedSeeds:
    """Return all seeds that blocks of one sweep added, each once.

    Args:
        blocks: of the sweep.
        trials: its rows with `trial` and `config_id`. A trial that was tried again has the seeds of
            its first attempt, for both are of one configuration.
    """
    names = zip(trials["trial"].astype(int), trials["config_id"].astype(str), strict=True)
    config_of = dict(names)
    found: dict[str, dict[int, None]] = {}
    for block in blocks:
        for trial, seeds in block.seeds.items():
            if trial in config_of:
                found.setdefault(config_of[trial], {}).update(dict.fromkeys(seeds))
    return {config_id: tuple(seeds) for config_id, seeds in found.items()}
