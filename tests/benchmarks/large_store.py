"""Stores of many runs, part by part as the engine leaves them, and the same for Ray's reader.

The values are incompressible random numbers, as errors and losses nearly are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from analysis.store.folders import open_folder
from analysis.store.layout import part_name, parts_folder
from analysis.store.part_files import joined_row_list, write_part
from analysis.store.schema import EPOCHS, RUNS, SWEEPS, Table
from analysis.store.whole_files import make_folder

SWEEP = "large"
METRICS = [field.name for field in EPOCHS.schema if pa.types.is_floating(field.type)]


def run_ids(runs: int) -> list[str]:
    """Ids as the engine makes them: hexadecimal, so that parts do not lie in their order."""
    rng = np.random.default_rng(0)
    return [f"{value:016x}-s0" for value in rng.integers(0, 2**63, runs)]


def history(index: int, epochs: int) -> dict[str, np.ndarray]:
    """The measured columns of one run, each (epochs,)."""
    rng = np.random.default_rng([1, index])
    columns = dict(zip(METRICS, rng.random((len(METRICS), epochs)), strict=True))
    columns["learning_rate"] = np.where(np.arange(epochs) < epochs // 2, 1e-3, 1e-4)
    return columns


def write_store(root: Path, runs: int, epochs: int) -> None:
    """Write a part of `runs` and a part of `epochs` for each run, and one of `sweeps`."""
    ids = run_ids(runs)
    row = {"sweep": [SWEEP], "purpose": ["confirmatory"]}
    _write(root, SWEEPS, "driver", _filled(row, SWEEPS.schema))
    for index, run_id in enumerate(ids):
        _write(root, RUNS, run_id, _filled(_run(index, run_id, epochs), RUNS.schema))
        _write(root, EPOCHS, run_id, epoch_rows(index, run_id, epochs))


def epoch_rows(index: int, run_id: str, epochs: int) -> pa.Table:
    """The rows of `epochs` of one run."""
    key = {"sweep": [SWEEP] * epochs, "run_id": [run_id] * epochs}
    numbers = {"epoch": np.arange(1, epochs + 1), "nonfinite_count": np.zeros(epochs, int)}
    return _filled({**key, **numbers, **history(index, epochs)}, EPOCHS.schema)


def write_ray_results(folder: Path, runs: int, epochs: int) -> None:
    """Write the first runs as Ray Tune's JSON logger does, a folder a trial, a line an epoch."""
    for index, run_id in enumerate(run_ids(runs)):
        path = folder / run_id / "result.json"
        path.parent.mkdir(parents=True)
        lines = (json.dumps(line) for line in ray_lines(index, run_id, epochs))
        path.write_text("\n".join(lines) + "\n")


def ray_lines(index: int, run_id: str, epochs: int) -> Iterator[dict[str, Any]]:
    """What Ray Tune reports of each epoch: the metrics, and what it adds to them."""
    columns = history(index, epochs)
    for epoch in range(1, epochs + 1):
        yield {
            **{name: float(values[epoch - 1]) for name, values in columns.items()},
            "epoch": epoch,
            "nonfinite_count": 0,
            "timestamp": 1767603600 + epoch,
            "checkpoint_dir_name": None,
            "done": epoch == epochs,
            "training_iteration": epoch,
            "trial_id": run_id,
            "date": "2026-01-05_09-00-00",
            "time_this_iter_s": 2.0,
            "time_total_s": 2.0 * epoch,
            "pid": 4242,
            "hostname": "worker-1",
            "node_ip": "127.0.0.1",
            "config": {"number": index, "params": {"s": 3, "k": 3, "learning_rate": 1e-3}},
            "time_since_restore": 2.0 * epoch,
            "iterations_since_restore": epoch,
        }


def _run(index: int, run_id: str, epochs: int) -> dict[str, list[Any]]:
    row = {
        "sweep": SWEEP,
        "run_id": run_id,
        "trial": index,
        "seed": 0,
        "config_id": run_id[:16],
        "identity_version": 2,
        "benchmark": "resnet20/cifar10",
        "activation": "polyneuron_r",
        "config_json": json.dumps({"recipe": {"epochs": epochs, "id": run_id}}),
        "status": "completed",
        "epochs_planned": epochs,
        "epochs_done": epochs,
        "last_val_error_percent": history(index, epochs)["val_error_percent"][-1],
    }
    return {name: [value] for name, value in row.items()}


def _filled(columns: dict[str, Any], schema: pa.Schema) -> pa.Table:
    """Return the columns in the schema's order, null where there is none."""
    rows = len(columns["sweep"])
    arrays = [
        pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(rows, f.type)
        for f in schema
    ]
    return pa.table(arrays, schema=schema)


def _write(root: Path, table: Table, writer: str, rows: pa.Table) -> None:
    folder = parts_folder(open_folder(root / SWEEP))
    make_folder(folder)
    file = folder.child(part_name(writer, 0, [table.name]))
    write_part(file, {table.name: joined_row_list(table, [rows])})
