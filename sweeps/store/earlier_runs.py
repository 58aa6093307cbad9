"""Runs that an earlier identity version named: a resumed sweep goes on with them under their ids.

`run_id` is the key of a run's rows, files and checkpoints, so it stays as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from analysis.store.schema import RUNS
from analysis.store.statuses import Status
from sweeps.store.paths import SweepPaths
from trainers import RunConfig


def under_stored_id(config: RunConfig, paths: SweepPaths) -> RunConfig:
    """Return the run under the id by which the sweep has it, if an earlier version named it."""
    stored = _stored_ids(paths).get((config.config_id, config.seed))
    return config if stored is None else replace(config, stored_run_id=stored)


# Nobody writes runs of an earlier version any more, so one look is enough.
@lru_cache(maxsize=16)
def _stored_ids(paths: SweepPaths) -> Mapping[tuple[str, int], str]:
    """Return ids of runs by identity and seed, where they are not those of today.

    Of several old runs that are one identity it is one that has ended, if there is any.
    """
    runs, _ = paths.store.read(RUNS, ["config_id", "seed", "status"])
    runs["final"] = [Status(status).final for status in runs["status"]]
    runs = runs.sort_values("final", kind="stable")
    names = (runs[name].astype(object) for name in ("run_id", "config_id", "seed"))
    return {
        (str(config_id), int(seed)): str(run_id)
        for run_id, config_id, seed in zip(*names, strict=True)
        if run_id != f"{config_id}-s{seed}"
    }
