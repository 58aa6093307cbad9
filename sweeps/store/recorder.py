"""From what a trainer reports to rows of the results, written as the run goes."""

from __future__ import annotations

import json
import statistics
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from analysis.store.schema import (
    EPOCHS,
    EVENTS,
    FUNCTIONS,
    PREDICTIONS,
    RUNS,
    SNAPSHOTS,
    TABLES,
    Table,
)
from polyneuron import activation_class, activation_options
from sweeps.store.paths import PartWriter, Row, SweepPaths, run_row
from sweeps.store.provenance import code_version
from sweeps.store.reuse import take_over
from sweeps.store.tensorboard import RunEvents
from trainers import EpochRecord, Event, Record, RunConfig, RunRecord, Snapshot

ENDED = ("completed", "diverged", "pruned")
"""Ends that another attempt would only repeat."""
FEW_PARTS = 8
"""Parts of a run that are not worth merging at its end."""

BESIDE = ThreadPoolExecutor(1, "records")
"""Writes while a run trains: the wait for the disk is longer than the work."""


class RunRecorder:
    """Writes the records of one run of a sweep; call it with each record as it comes."""

    def __init__(
        self, paths: SweepPaths, trial: int, config: RunConfig, fresh: bool = False
    ) -> None:
        """Take up a run; of a `fresh` one nothing is on record in this sweep yet."""
        run_id = config.run_id
        self._writer = PartWriter(paths, run_id, new=fresh)
        self._key = {"sweep": paths.sweep, "run_id": run_id}
        earlier = {} if fresh else run_row(paths, run_id) or {}
        if earlier.get("status") not in ENDED:
            earlier = take_over(config, paths, trial) or earlier
        self.ended = earlier if earlier.get("status") in ENDED else None
        """The run's row, if it came to an end before; it is not to be trained again then."""
        self.epoch_seconds: float | None = None
        """Median over epochs, once the run has ended."""
        started_at = earlier.get("started_at") or datetime.now(UTC)
        self._run: dict[str, object] = {**self._key, **run_columns(config), "trial": trial}
        self._run |= {"status": "running", "started_at": started_at, "epochs_done": 0}
        self._epochs = config.recipe.epochs
        self._seconds: dict[int, float] = {}
        self._waiting: dict[str, list[Row]] = {}
        self._beside: Future[None] | None = None
        self._events: RunEvents | None = None
        if self.ended is None and paths.tensorboard.is_dir():
            self._events = RunEvents(paths.tensorboard, trial, config.seed)

    def __call__(self, record: Record) -> None:
        """Write a record; when this returns, it survives a crash.

        A snapshot waits for its epoch, and the last epoch for the run's end: their trainer gives
        them again if a crash comes between. The start is written while the first epoch trains.
        """
        if isinstance(record, Snapshot):
            self._add(SNAPSHOTS, *self._points(record))
            self._add(FUNCTIONS, self._function(record))
        elif isinstance(record, EpochRecord):
            self._seconds[record.epoch] = record.epoch_seconds
            if self._events is not None:
                self._events(record)
            self._add(EPOCHS, {**self._key, **vars(record)})
            if record.epoch < self._epochs:
                self._write()
        elif isinstance(record, Event):
            self._add(EVENTS, {**self._key, "at": datetime.now(UTC), **vars(record)})
            if record.kind == "restore":
                self._recall_seconds()
            if record.kind in ("start", "restore"):
                self._add(RUNS, self._run)
                self._write(beside=True)
        else:
            self._close_events()
            self._end(record)

    def fail(self, reason: str) -> None:
        """Record a run that ended with an exception; what it recorded before stays."""
        self._close_events()
        now = datetime.now(UTC)
        event = {"at": now, "kind": "error", "epoch": 0, "detail": traceback.format_exc()}
        self._add(EVENTS, {**self._key, **event})
        self._add(RUNS, {**self._run, "status": "error", "stop_reason": reason, "ended_at": now})
        self._write()

    def _add(self, table: Table, *rows: Row) -> None:
        self._waiting.setdefault(table.name, []).extend(rows)

    def _write(self, beside: bool = False) -> None:
        """Write what waits, once what was written `beside` the training is there."""
        earlier, self._beside = self._beside, None
        if earlier is not None:
            earlier.result()
        rows = [(TABLES[name], waiting) for name, waiting in self._waiting.items()]
        self._waiting = {}
        if beside:
            self._beside = BESIDE.submit(self._writer.write_all, rows)
        else:
            self._writer.write_all(rows)

    def _close_events(self) -> None:
        if self._events is not None:
            self._events.close()

    def _recall_seconds(self) -> None:
        rows = self._writer.read(EPOCHS)
        self._seconds = {row["epoch"]: row["epoch_seconds"] for row in rows}

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
        if self._seconds:
            self.epoch_seconds = statistics.median(self._seconds.values())
        ended = {"epoch_seconds": self.epoch_seconds, "ended_at": datetime.now(UTC)}
        if record.status == "completed":
            self._add(PREDICTIONS, {**self._key, "correct_bits": bits})
        # In the end the run's row means that it is never trained again.
        self._add(RUNS, {**self._run, **shared, **ended})
        self._write()
        self._writer.merge(FEW_PARTS)


def run_columns(config: RunConfig) -> dict[str, object]:
    """Describe a run by the columns that are known before it starts."""
    activation, recipe = config.activation, config.recipe
    kind = activation_class(activation.name)
    options = {**activation_options(activation.name), **activation.options}
    return {
        "config_id": config.config_id,
        "seed": config.seed,
        "benchmark": f"{config.network.name}/{config.data.name}",
        "activation": activation.name,
        "scope": activation.scope,
        "init": (options if kind.splines else activation.options).get("init"),
        "s": options["s"] if kind.splines else None,
        "k": options["k"] if kind.splines else None,
        "lambda_sum": recipe.lambda_sum if kind.penalised else None,
        "lambda_prod": recipe.lambda_prod if kind.penalised else None,
        "learning_rate": recipe.learning_rate,
        "code_version": code_version(),
        "config_json": json.dumps(config.identity(), sort_keys=True),
        "validation": config.data.validation,
        "epochs_planned": recipe.epochs,
    }
