"""Runs that another sweep under the root has finished: taken over, not trained again.

A run is what the code of the training path, the data, the configuration and the seed make of it,
so where all four are the same, its records are.
"""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq

from analysis.store.parts import part_files
from analysis.store.schema import (
    EPOCHS,
    EVENTS,
    FUNCTIONS,
    PREDICTIONS,
    RUNS,
    SNAPSHOTS,
    TABLES_FOLDER,
)
from sweeps.store.paths import PartWriter, SweepPaths, run_rows
from sweeps.store.provenance import code_version
from trainers import RunConfig
from trainers.networks import NETWORKS

FINISHED = ("completed", "diverged")
"""Ends that depend on nothing but the run itself."""
_COMPACTED: dict[str, tuple[int | None, frozenset[str]]] = {}
"""Ids of the runs in a compacted file, and when it was last changed: a worker looks often."""


def take_over(config: RunConfig, paths: SweepPaths, trial: int) -> dict[str, Any] | None:
    """Copy a run's records from another sweep; return its row, or None where none has it."""
    source = _find(config, paths)
    if source is None:
        return None
    other, row = source
    writer = PartWriter(paths, config.run_id)
    reused_from = row["reused_from"] or other.sweep
    taken = {**row, "sweep": paths.sweep, "trial": trial, "reused_from": reused_from}
    records = [
        (table, [{**one, "sweep": paths.sweep} for one in run_rows(other, table, config.run_id)])
        for table in (EPOCHS, EVENTS, SNAPSHOTS, FUNCTIONS, PREDICTIONS)
    ]
    writer.write_all([*records, (RUNS, [taken])])
    return taken


def _find(config: RunConfig, paths: SweepPaths) -> tuple[SweepPaths, dict[str, Any]] | None:
    for name in sorted(folder.name for folder in paths.root.iterdir() if folder.is_dir()):
        other = SweepPaths(paths.root, name)
        if other.sweep == paths.sweep or not _may_have(other, config.run_id):
            continue
        rows = run_rows(other, RUNS, config.run_id)
        if rows and rows[-1]["status"] in FINISHED and _same_origin(rows[-1], config):
            return other, rows[-1]
    return None


def _may_have(other: SweepPaths, run_id: str) -> bool:
    """Look for a run among file names, and among the runs that a compacted file has."""
    store = other.store
    whole = store.child(TABLES_FOLDER, f"{RUNS.name}.parquet")
    info = store.filesystem.get_file_info(whole.path)
    if info.is_file:
        changed_at, known = _COMPACTED.get(whole.path, (None, frozenset()))
        if changed_at != info.mtime_ns:
            table = pq.read_table(whole.path, filesystem=whole.filesystem, columns=["run_id"])
            known = frozenset(table["run_id"].to_pylist())
            _COMPACTED[whole.path] = (info.mtime_ns, known)
        if run_id in known:
            return True
    return bool(part_files(store, RUNS, run_id))


def _same_origin(row: dict[str, Any], config: RunConfig) -> bool:
    from trainers.data.datasets import data_root, load

    if row["code_version"] != code_version():
        return False
    root = data_root(config.execution.data_root)
    images = load(config.data.name, root, NETWORKS[config.network.name].input_side)
    return row["data_sha256"] == images.sha256
