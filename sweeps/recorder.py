"""From what a trainer reports to rows of the results, written as the run goes."""

from __future__ import annotations

import json
import statistics
import traceback
from datetime import UTC, datetime

from analysis.schema import EPOCHS, EVENTS, FUNCTIONS, PREDICTIONS, RUNS, SNAPSHOTS
from sweeps.provenance import code_version
from sweeps.reuse import take_over
from sweeps.search_space import PENALISED, SPLINES
from sweeps.store import PartWriter, Row, SweepPaths, run_row
from trainers import EpochRecord, Event, Record, RunConfig, RunRecord, Snapshot

ENDED = ("completed", "diverged", "pruned")
"""Ends that another attempt would only repeat."""


class RunRecorder:
    """Writes the records of one run of a sweep; call it with each record as it comes."""

    def __init__(self, paths: SweepPaths, trial: int, config: RunConfig) -> None:
        self._writer = PartWriter(paths, config.run_id)
        self._key = {"sweep": paths.sweep, "run_id": config.run_id}
        earlier = run_row(paths, config.run_id) or {}
        if earlier.get("status") not in ENDED:
            earlier = take_over(config, paths, trial) or earlier
        self.ended = earlier if earlier.get("status") in ENDED else None
        """The run's row, if it came to an end before; it is not to be trained again then."""
        self.epoch_seconds: float | None = None
        """Median over epochs, once the run has ended."""
        started_at = earlier.get("started_at") or datetime.now(UTC)
        self._run: dict[str, object] = {**self._key, **run_columns(config), "trial": trial}
        self._run |= {"status": "running", "started_at": started_at, "epochs_done": 0}
        self._snapshots: list[Snapshot] = []

    def __call__(self, record: Record) -> None:
        """Write a record; when this returns, it survives a crash (a snapshot: its epoch does)."""
        if isinstance(record, Snapshot):
            self._snapshots.append(record)
            return
        self._write_snapshots()
        if isinstance(record, EpochRecord):
            self._writer.write(EPOCHS, [{**self._key, **vars(record)}])
        elif isinstance(record, Event):
            self._writer.write(EVENTS, [{**self._key, "at": datetime.now(UTC), **vars(record)}])
            if record.kind in ("start", "restore"):
                self._writer.write(RUNS, [self._run])
        else:
            self._end(record)

    def fail(self, reason: str) -> None:
        """Record a run that ended with an exception; what it recorded before stays."""
        now = datetime.now(UTC)
        event = {"at": now, "kind": "error", "epoch": 0, "detail": traceback.format_exc()}
        self._writer.write(EVENTS, [{**self._key, **event}])
        ended = {"status": "error", "stop_reason": reason, "ended_at": now}
        self._writer.write(RUNS, [{**self._run, **ended}])

    def _write_snapshots(self) -> None:
        points, functions = [], []
        for snapshot in self._snapshots:
            points += self._points(snapshot)
            functions.append(self._function(snapshot))
        self._writer.write(SNAPSHOTS, points)
        self._writer.write(FUNCTIONS, functions)
        self._snapshots.clear()

    def _points(self, snapshot: Snapshot) -> list[Row]:
        key = self._function_key(snapshot)
        points = zip(snapshot.c_x, snapshot.c_y, snapshot.w, strict=True)
        return [
            {**key, "point": point, "c_x": c_x, "c_y": c_y, "w": w}
            for point, (c_x, c_y, w) in enumerate(points)
        ]

    def _function(self, snapshot: Snapshot) -> Row:
        columns = ("v0", "v1", "input_p01", "input_p99", "curve_x", "curve_y")
        values = {column: getattr(snapshot, column) for column in columns}
        return {**self._function_key(snapshot), **values}

    def _function_key(self, snapshot: Snapshot) -> dict[str, object]:
        place = {"epoch": snapshot.epoch, "layer": snapshot.layer, "function": snapshot.function}
        return {**self._key, **place}

    def _end(self, record: RunRecord) -> None:
        columns = dict(vars(record))
        bits = columns.pop("correct_bits")
        shared = {name: value for name, value in columns.items() if name in RUNS.schema.names}
        epochs = [row["epoch_seconds"] for row in self._writer.read(EPOCHS)]
        self.epoch_seconds = statistics.median(epochs) if epochs else None
        ended = {"epoch_seconds": self.epoch_seconds, "ended_at": datetime.now(UTC)}
        if record.status == "completed":
            self._writer.write(PREDICTIONS, [{**self._key, "correct_bits": bits}])
        # The run's row comes last: a run that has it is never trained again.
        self._writer.write(RUNS, [{**self._run, **shared, **ended}])
        self._writer.merge()


def run_columns(config: RunConfig) -> dict[str, object]:
    """Describe a run by the columns that are known before it starts."""
    activation, recipe = config.activation, config.recipe
    options = activation.options
    spline = activation.name in SPLINES
    penalised = activation.name == PENALISED
    return {
        "config_id": config.config_id,
        "seed": config.seed,
        "benchmark": f"{config.network.name}/{config.data.name}",
        "activation": activation.name,
        "scope": activation.scope,
        "init": options.get("init", "relu_like") if spline else options.get("init"),
        "s": options.get("s", 3) if spline else None,
        "k": options.get("k", 3) if spline else None,
        "lambda_sum": recipe.lambda_sum if penalised else None,
        "lambda_prod": recipe.lambda_prod if penalised else None,
        "learning_rate": recipe.learning_rate,
        "code_version": code_version(),
        "config_json": json.dumps(config.identity(), sort_keys=True),
        "validation": config.data.validation,
        "epochs_planned": recipe.epochs,
    }
