"""Runs that another sweep under the root has finished are copied, not trained again.

The training code, the data, the configuration and the seed decide a run's records. Where all four
are the same, so are the records.
"""

from __future__ import annotations

from typing import Any

from analysis.store.errors import StoreError
from analysis.store.schema import (
    EPOCHS,
    EVENTS,
    FUNCTIONS,
    PREDICTIONS,
    RUNS,
    SNAPSHOTS,
    SWEEPS,
)
from analysis.store.statuses import Status
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_version
from trainers import RunConfig
from trainers.networks.registry import input_side


def take_over(config: RunConfig, paths: SweepPaths, trial: int) -> dict[str, Any] | None:
    """Copy a run's records from another sweep; return its row, or None if no sweep has it."""
    source = _find(config, paths)
    if source is None:
        return None
    other, row = source
    store = other.store
    reused_from = row["reused_from"] or other.sweep  # the sweep that did the work
    taken = {
        **row,
        "sweep": paths.sweep,
        "trial": trial,
        "reused_from": reused_from,
        "purpose": row["purpose"] or _purpose(other),
    }
    records = [
        (table, [{**one, "sweep": paths.sweep} for one in store.rows_of_run(table, config.run_id)])
        for table in (EPOCHS, EVENTS, SNAPSHOTS, FUNCTIONS, PREDICTIONS)
    ]
    paths.store.writer(config.run_id).write_all([*records, (RUNS, [taken])])
    return taken


def _find(config: RunConfig, paths: SweepPaths) -> tuple[SweepPaths, dict[str, Any]] | None:
    for name in sorted(folder.name for folder in paths.root.iterdir() if folder.is_dir()):
        other = SweepPaths(paths.root, name, paths.tables_at)
        try:
            row = _row_in(other, config) if other.sweep != paths.sweep else None
        except StoreError:
            # The other sweep has its tables where the user did not point to, or a newer version
            # wrote them. The run is trained here then.
            continue
        if row and _same_origin(row, config):
            return other, row
    return None


def _row_in(other: SweepPaths, config: RunConfig) -> dict[str, Any] | None:
    """Return the row of a run in another sweep, if it may be taken over."""
    # Repetitions of a timing sweep are measured for their times alone.
    if not other.store.has_run(config.run_id) or _purpose(other) == "timing":
        return None
    row = other.store.row_of_run(config.run_id)
    return row if row and Status(row["status"]).reproducible else None


def _purpose(other: SweepPaths) -> str | None:
    found, _ = other.store.read(SWEEPS, ["purpose"])
    return next(iter(found["purpose"].dropna().astype(str)), None)


def _same_origin(row: dict[str, Any], config: RunConfig) -> bool:
    from trainers.data.datasets import data_root, load_configured

    if row["code_version"] != code_version():
        return False
    root = data_root(config.execution.data_root)
    images = load_configured(config.data, root, input_side(config.network.name))
    return bool(row["data_sha256"] == images.sha256)
