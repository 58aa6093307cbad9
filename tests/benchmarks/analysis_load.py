"""How long a store of 10,000 runs x 500 epochs x 12 columns takes to read, and how much memory.

    python tests/benchmarks/analysis_load.py [--runs 10000] [--epochs 500] [--folder DIR]

Each reading runs in a process of its own after one to warm the disk cache. The values are
incompressible random numbers, as errors and losses nearly are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.schema import EPOCHS, RUNS, SWEEPS, Table

ROWS_A_GROUP = 500_000
READINGS = {
    "runs": "frame = results.runs",
    "epochs, 3 columns": (
        "frame = results.table('epochs', ['val_error_percent', 'val_loss', 'train_loss'])"
    ),
    "epochs, all": "frame = results.epochs",
    "values(at='best')": "frame = analysis.values(results, at='best')",
    "values(at='pre_drop')": "frame = analysis.values(results, at='pre_drop')",
}
CHILD = """
import resource, sys, time, analysis
results = analysis.load(sys.argv[1])
if "runs" != sys.argv[2]: results.runs
started = time.perf_counter()
{statement}
seconds = time.perf_counter() - started
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, len(frame))
"""


def write_table(root: Path, table: Table, batches: list[dict[str, object]]) -> None:
    path = root / "big" / "tables" / f"{table.name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {**(table.schema.metadata or {}), b"written_at": b"0"}
    schema = table.schema.with_metadata(metadata)
    text = [field.name for field in schema if pa.types.is_string(field.type)]
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=text) as writer:
        for batch in batches:
            writer.write_table(filled(batch, schema))


def filled(columns: dict[str, object], schema: pa.Schema) -> pa.Table:
    """Return the columns in the schema's order, null where there is none."""
    length = len(next(iter(columns.values())))  # type: ignore[arg-type]
    arrays = [
        pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(length, f.type)
        for f in schema
    ]
    return pa.table(arrays, schema=schema)


def epoch_batch(ids: list[str], epochs: int, rng: np.random.Generator) -> dict[str, object]:
    rows = len(ids) * epochs
    columns: dict[str, object] = {
        "sweep": pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), ["big"]).cast("string"),
        "run_id": pa.DictionaryArray.from_arrays(
            np.repeat(np.arange(len(ids), dtype=np.int32), epochs), ids
        ).cast("string"),
        "epoch": np.tile(np.arange(1, epochs + 1, dtype=np.int32), len(ids)),
    }
    for field in EPOCHS.schema:
        if field.type == pa.float64():
            columns[field.name] = rng.random(rows)
    columns["nonfinite_count"] = np.zeros(rows, np.int32)
    rates = np.where(np.arange(epochs) < epochs // 2, 1e-3, 1e-4)
    columns["learning_rate"] = np.tile(rates, len(ids))
    return columns


def write_store(root: Path, runs: int, epochs: int) -> None:
    rng = np.random.default_rng(0)
    ids = sorted(f"{value:016x}-s0" for value in rng.integers(0, 2**63, runs))
    write_table(root, SWEEPS, [{"sweep": ["big"], "purpose": ["confirmatory"]}])
    columns = {
        "sweep": ["big"] * runs,
        "run_id": ids,
        "trial": np.arange(runs),
        "seed": np.zeros(runs, int),
        "config_id": [name[:16] for name in ids],
        "benchmark": ["resnet20/cifar10"] * runs,
        "activation": ["polyneuron_r"] * runs,
        "config_json": [json.dumps({"recipe": {"epochs": epochs, "id": name}}) for name in ids],
        "status": ["completed"] * runs,
        "epochs_planned": [epochs] * runs,
        "epochs_done": [epochs] * runs,
        "last_val_error_percent": rng.random(runs),
    }
    write_table(root, RUNS, [columns])
    step = max(ROWS_A_GROUP // epochs, 1)
    batches = (epoch_batch(ids[i : i + step], epochs, rng) for i in range(0, runs, step))
    write_table(root, EPOCHS, batches)  # type: ignore[arg-type]


def measure(root: Path, name: str, statement: str) -> tuple[float, float, int]:
    command = [sys.executable, "-c", CHILD.format(statement=statement), str(root), name]
    found = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(3)
    ]
    best = min(found[1:], key=lambda words: float(words[0]))
    return float(best[0]), float(best[1]), int(best[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--folder", type=Path, help="where to keep the store; else it is deleted")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.folder or Path(temporary)
        if not (root / "big").exists():
            started = time.perf_counter()
            write_store(root, arguments.runs, arguments.epochs)
            print(f"store written in {time.perf_counter() - started:.0f} s")
        print(f"{'reading':24} {'seconds':>8} {'peak GB':>8} {'rows':>12}")
        for name, statement in READINGS.items():
            seconds, gigabytes, rows = measure(root, name, statement)
            print(f"{name:24} {seconds:8.2f} {gigabytes:8.2f} {rows:12,}")


if __name__ == "__main__":
    main()
