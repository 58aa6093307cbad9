"""Writes what a training function of the user's own reports of a run."""

from __future__ import annotations

import json
import statistics
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

from analysis.store.contract import Row
from analysis.store.schema import EPOCHS, EVENTS, METRICS, RUNS, Table
from analysis.store.statuses import Status
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_version
from sweeps.store.recorder import FEW_PARTS, is_final
from sweeps.store.tensorboard import RunEvents
from trainers.canonical import IDENTITY_VERSION
from trainers.function import Earlier, FunctionEnd, FunctionRun, Step

KNOWN = frozenset(EPOCHS.schema.names) - {*EPOCHS.key, "epoch_seconds", "largest_input_layer"}
"""Columns of `epochs` that a number of the same name fills too."""
COUNTS = ("nonfinite_count",)
"""Whole numbers among them."""


class FunctionRecorder:
    """Writes one run; a step survives a crash once `step` has returned."""

    def __init__(
        self, paths: SweepPaths, trial: int, run: FunctionRun, fresh: bool = False
    ) -> None:
        """Take up a run; `fresh`: this sweep has no row of it, so none is looked for.

        Runs of other sweeps are not taken over: what data a function reads is not known here.
        """
        self._store = paths.store
        self._writer = self._store.writer(run.run_id, new=fresh)
        self._key = {"sweep": paths.sweep, "run_id": run.run_id}
        earlier = {} if fresh else self._store.row_of_run(run.run_id) or {}
        self.ended = earlier if is_final(earlier) else None
        """The run's row, if an earlier attempt ended it."""
        self._seconds: dict[int, float] = {}
        self.earlier = Earlier()
        """Steps that earlier attempts have reported."""
        if earlier and self.ended is None:
            self._recall(run)
        self._spent = earlier.get("train_seconds") or 0.0
        self._run = {
            **self._key,
            **_columns(run),
            "trial": trial,
            "status": Status.RUNNING,
            "started_at": earlier.get("started_at") or datetime.now(UTC),
            "epochs_done": len(self.earlier.steps),
        }
        self._events: RunEvents | None = None
        if self.ended is None and paths.tensorboard.is_dir():
            self._events = RunEvents(paths.tensorboard, trial, run.seed)

    @property
    def epoch_seconds(self) -> float | None:
        """Median time between two steps; None before the first."""
        return statistics.median(self._seconds.values()) if self._seconds else None

    def start(self) -> None:
        """Write that the run begins, or goes on."""
        done = len(self.earlier.steps)
        event = {"at": datetime.now(UTC), "kind": "restore" if done else "start", "epoch": done}
        self._write((EVENTS, [event]), (RUNS, [self._run]))

    def step(self, step: Step) -> None:
        """Write a step."""
        self._seconds[step.epoch] = step.seconds
        row = {"epoch": step.epoch, "epoch_seconds": step.seconds}
        metrics = [
            {"epoch": step.epoch, "name": name, "value": value}
            for name, value in step.metrics.items()
        ]
        if self._events is not None:
            self._events(step.epoch, step.metrics)
        self._write((EPOCHS, [{**row, **_known(step)}]), (METRICS, metrics))

    def end(self, end: FunctionEnd) -> None:
        """Write the run's end."""
        columns = {
            "status": end.status,
            "stop_reason": end.stop_reason,
            "epochs_done": end.epochs_done,
            "metric_value": end.value,
            "also_json": json.dumps(dict(end.also)) if end.also else None,
            "train_seconds": self._spent + end.seconds,
            "epoch_seconds": self.epoch_seconds,
            "device": "cpu",
        }
        kind = "done" if end.status == "completed" else end.status
        self._end(columns, {"kind": kind, "epoch": end.epochs_done, "detail": end.stop_reason})
        self._writer.merge(FEW_PARTS)

    def fail(self, reason: str) -> None:
        """Record that the run ended with the exception being handled; its steps stay."""
        ended = {"status": Status.ERROR, "stop_reason": reason, "epochs_done": len(self._seconds)}
        self._end(ended, {"kind": "error", "epoch": 0, "detail": traceback.format_exc()})

    def _end(self, columns: Row, event: Row) -> None:
        if self._events is not None:
            self._events.close()
        now = datetime.now(UTC)
        # RUNS last: an ended row is what keeps a resume from training this run again.
        ended = {**self._run, **columns, "ended_at": now}
        self._write((EVENTS, [{"at": now, **event}]), (RUNS, [ended]))

    def _write(self, *tables: tuple[Table, Sequence[Row]]) -> None:
        self._writer.write_all(
            [(table, [{**self._key, **row} for row in rows]) for table, rows in tables if rows]
        )

    def _recall(self, run: FunctionRun) -> None:
        epochs = self._store.rows_of_run(EPOCHS, run.run_id)
        self._seconds = {row["epoch"]: row["epoch_seconds"] for row in epochs}
        found: dict[str, dict[int, float]] = {name: {} for name in (run.metric, *run.also)}
        for row in self._store.rows_of_run(METRICS, run.run_id):
            if row["name"] in found:
                found[row["name"]][row["epoch"]] = row["value"]
        self.earlier = Earlier(frozenset(self._seconds), found.pop(run.metric), found)


def _columns(run: FunctionRun) -> Row:
    """Return the columns of a run's row that are known before it starts."""
    return {
        "config_id": run.call.config_id,
        "identity_version": IDENTITY_VERSION,
        "seed": run.seed,
        "benchmark": run.call.function,
        "config_json": json.dumps(run.call.canonical(), sort_keys=True),
        "epochs_planned": run.steps or None,
        "code_version": code_version(),
    }


def _known(step: Step) -> Row:
    """Return the reported numbers that are columns of `epochs`, as far as those can take them."""
    found = {name: value for name, value in step.metrics.items() if name in KNOWN}
    return {
        name: int(value) if name in COUNTS else value
        for name, value in found.items()
        if (name not in COUNTS or value.is_integer())
        and (not name.endswith("_percent") or 0 <= value <= 100)
    }
