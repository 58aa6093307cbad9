"""Instalments of seeds: each is a look at the claims that the seeds speak on.

The first plan of a sweep is one, and so is each `extend` and each later sweep, whether or not
anybody looked in between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

Plan = Mapping[tuple[str, int], int]
"""The number of the instalment of each sweep's seeds, over all sweeps."""


def plan_of(sweeps: pd.DataFrame, events: pd.DataFrame, runs: pd.DataFrame) -> Plan:
    """Return the instalments in which sweeps planned their seeds, by the sweeps' creation.

    Args:
        sweeps: rows of the table `sweeps`.
        events: rows of the table `events`, of which an `extend` tells the counts of seeds.
        runs: rows with `sweep` and `seed`.
    """
    order = sweeps.sort_values(["created_at", "sweep"], kind="stable")
    extended = events[events["kind"] == "extend"]
    numbers: dict[tuple[str, int], int] = {}
    first = 0
    for sweep, spec_json in zip(order["sweep"].astype(str), order["spec_json"], strict=True):
        details = extended.loc[extended["sweep"] == sweep, "detail"]
        seeds = _seeds(spec_json, runs.loc[runs["sweep"] == sweep, "seed"])
        steps = _steps([str(text) for text in details.dropna()], len(seeds))
        for place, seed in enumerate(seeds):
            numbers[sweep, seed] = first + int(np.searchsorted(steps, place, side="right"))
        first += len(steps) + 1
    return numbers


def look_of_each(plan: Plan, runs: pd.DataFrame) -> pd.Series:
    """Return the instalment that each run came with: of several sweeps' that of the first.

    Args:
        plan: from `plan_of`.
        runs: rows with `sweep`, `config_id` and `seed`.
    """
    keys = zip(runs["sweep"].astype(str), runs["seed"].astype(int), strict=True)
    looks = pd.Series([plan[key] for key in keys], index=runs.index, dtype="int64")
    return looks.groupby([runs["config_id"], runs["seed"]]).transform("min")


def instalments(looks: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Return each number among the runs' looks, rising, with the count of runs up to it."""
    found, counts = np.unique(looks, return_counts=True)
    return tuple(zip(found.tolist(), np.cumsum(counts).tolist(), strict=True))


def _seeds(spec_json: str, trained: pd.Series) -> list[int]:
    """Return a sweep's seeds in the order in which they were planned."""
    planned = json.loads(spec_json or "{}").get("seeds", [])
    others = sorted(set(trained.astype(int)) - set(planned))
    return [*planned, *others]


def _steps(details: Sequence[str], seeds: int) -> list[int]:
    """Return the numbers of seeds before each extension, rising.

    An extension says "from 5 to 10 seeds a trial". Of an older store it says the second number
    alone: then half of the first extension counts as the first plan.
    """
    counts = sorted({int(n) for text in details for n in re.findall(r"\d+", text)})
    if counts and not any("from" in text for text in details):
        counts.insert(0, counts[0] // 2)
    return [count for count in counts if count < seeds]
