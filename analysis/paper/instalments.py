"""Instalments of seeds: each is a look at the claims that the seeds speak on.

The first plan of a sweep is one, and so is each `extend`, each block of `settle` and each later
sweep, whether or not anybody looked in between. A block counts for the claims alone that it was
planned for: of two arms that a claim compares, one may have got more seeds for another claim.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.store.blocks import added_seeds, read_blocks


@dataclass(frozen=True)
class Plan:
    """The instalments in which seeds were planned, numbered over all sweeps."""

    seeds: Mapping[tuple[str, int], int]
    """Of each sweep and seed that all its trials have."""
    added: Mapping[tuple[str, str, int], int]
    """Of each sweep, configuration and seed that `settle` added for the claim in question."""
    others: frozenset[tuple[str, str, int]]
    """Sweeps, configurations and seeds that `settle` added for other claims alone."""

    def look(self, sweep: str, config_id: str, seed: int) -> int | None:
        """Return the instalment of a run; None where it was trained for other claims."""
        key = (sweep, config_id, seed)
        return None if key in self.others else self.added.get(key, self.seeds.get((sweep, seed)))

    def seeds_until(self, look: int) -> Counter[str]:
        """Return how many seeds of all its trials each sweep had planned by an instalment."""
        return Counter(sweep for (sweep, _), planned in self.seeds.items() if planned <= look)

    def added_until(self, look: int | None = None) -> Counter[tuple[str, str]]:
        """Return how many seeds more each sweep and configuration had; None: has by now."""
        return Counter(
            (sweep, config_id)
            for (sweep, config_id, _), planned in self.added.items()
            if look is None or planned <= look
        )


def plan_of(
    sweeps: pd.DataFrame, events: pd.DataFrame, runs: pd.DataFrame, claim: str | None = None
) -> Plan:
    """Return the instalments in which sweeps planned their seeds, by the sweeps' creation.

    Args:
        sweeps: rows of the table `sweeps`.
        events: rows of the table `events`, of which an `extend` tells the counts of seeds.
        runs: rows with `sweep`, `trial`, `config_id` and `seed`.
        claim: the claim for which seeds of single trials count; None: those of all.
    """
    order = sweeps.sort_values(["created_at", "sweep"], kind="stable")
    extended = events[events["kind"] == "extend"]
    numbers: dict[tuple[str, int], int] = {}
    added: dict[tuple[str, str, int], int] = {}
    others: set[tuple[str, str, int]] = set()
    first = 0
    columns = (order["sweep"].astype(str), order["spec_json"], order["blocks_json"])
    for sweep, spec_json, text in zip(*columns, strict=True):
        details = extended.loc[extended["sweep"] == sweep, "detail"]
        blocks = read_blocks(text)
        own = runs[runs["sweep"] == sweep]
        single = {seed for block in blocks for seeds in block.seeds.values() for seed in seeds}
        seeds = _seeds(spec_json, set(own["seed"].astype(int)) - single)
        steps = _steps([str(text) for text in details.dropna()], len(seeds))
        for place, seed in enumerate(seeds):
            numbers[sweep, seed] = first + int(np.searchsorted(steps, place, side="right"))
        first += len(steps) + 1
        for block in blocks:
            meant = claim is None or claim in block.claims
            for config_id, more in added_seeds([block], own).items():
                for key in ((sweep, config_id, seed) for seed in more if seed not in seeds):
                    if meant:
                        added.setdefault(key, first)
                    else:
                        others.add(key)
            first += 1
    return Plan(numbers, added, frozenset(others - added.keys()))


def look_of_each(plan: Plan, runs: pd.DataFrame) -> pd.Series:
    """Return the instalment that each run came with: of several sweeps' that of the first.

    NaN for a run that was trained for other claims alone.

    Args:
        plan: from `plan_of`.
        runs: rows with `sweep`, `config_id` and `seed`.
    """
    names = (runs["sweep"].astype(str), runs["config_id"].astype(str), runs["seed"].astype(int))
    looks = pd.Series(
        [plan.look(*key) for key in zip(*names, strict=True)], index=runs.index, dtype="float64"
    )
    return looks.groupby([runs["config_id"], runs["seed"]]).transform("min")


def instalments(looks: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Return each number among the runs' looks, rising, with the count of runs up to it."""
    found, counts = np.unique(looks, return_counts=True)
    return tuple(zip(found.tolist(), np.cumsum(counts).tolist(), strict=True))


def _seeds(spec_json: str, trained: set[int]) -> list[int]:
    """Return a sweep's seeds in the order in which they were planned."""
    planned = json.loads(spec_json or "{}").get("seeds", [])
    others = sorted(trained - set(planned))
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
