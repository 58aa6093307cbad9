"""Writes the records of a run as its trainer reports them."""

from __future__ import annotations

import statistics
import threading
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from analysis.store.contract import Row
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
from analysis.store.statuses import Status
from sweeps.store.paths import SweepPaths
from sweeps.store.reuse import take_over
from sweeps.store.rows import end_columns, function_row, point_rows, run_columns
from sweeps.store.tensorboard import SKIPPED, RunEvents
from trainers import EpochRecord, Event, Record, RunConfig, RunRecord, Snapshot

FEW_PARTS = 8
"""Up to so many parts of a run are left unmerged at its end: merging costs more than it saves."""

BESIDE = ThreadPoolExecutor(1, "records")
"""Writes while a run trains: a write is mostly the wait for the disk."""

LATER_SECONDS = 0.2
"""A start is written so much later, unless the run's next write takes it along."""


class RunRecorder:
    """Writes the records of one run of a sweep; call it with each record as it comes."""

    def __init__(
        self,
        paths: SweepPaths,
        trial: int,
        config: RunConfig,
        fresh: bool = False,
        shares: bool = True,
    ) -> None:
        """Take up a run.

        Args:
            paths: of the sweep.
            trial: the trial's number.
            config: of the run.
            fresh: True where this sweep has no row of the run, so that none is looked for.
            shares: True: a run that another sweep has ended is taken over.
        """
        self._store = paths.store
        self._run_id = config.run_id
        self._writer = self._store.writer(config.run_id, new=fresh)
        self._key = {"sweep": paths.sweep, "run_id": config.run_id}
        earlier = {} if fresh else self._store.row_of_run(config.run_id) or {}
        if shares and not is_final(earlier):
            earlier = take_over(config, paths, trial) or earlier
        self.ended = earlier if is_final(earlier) else None
        """The run's row, if it needs no training: an earlier attempt or another sweep ended it."""
        self.epoch_seconds: float | None = None
        """Median over epochs, once the run has ended."""
        self._run: Row = {
            **self._key,
            **run_columns(config),
            "trial": trial,
            "status": Status.RUNNING,
            "started_at": earlier.get("started_at") or datetime.now(UTC),
            "epochs_done": 0,
        }
        self._epochs = config.recipe.epochs
        self._seconds: dict[int, float] = {}
        self._waiting: dict[str, list[Row]] = {}
        self._adding = threading.Lock()
        self._later: Future[None] | None = None
        self._hurried = threading.Event()
        self._events: RunEvents | None = None
        if self.ended is None and paths.tensorboard.is_dir():
            self._events = RunEvents(paths.tensorboard, trial, config.seed)

    def __call__(self, record: Record) -> None:
        """Take a record.

        With an epoch, all records up to it are written, and survive a crash when the call returns.
        The last epoch is written with the run's end, and the start while the first epoch trains or
        together with it. The trainer reports again what a crash has taken.
        """
        if isinstance(record, Snapshot):
            self._add(SNAPSHOTS, *point_rows(record))
            self._add(FUNCTIONS, function_row(record))
        elif isinstance(record, EpochRecord):
            self._seconds[record.epoch] = record.epoch_seconds
            if self._events is not None:
                numbers = {name: n for name, n in vars(record).items() if name not in SKIPPED}
                self._events(record.epoch, numbers)
            self._add(EPOCHS, vars(record))
            if record.epoch < self._epochs:
                self._write()
        elif isinstance(record, Event):
            self._add(EVENTS, {"at": datetime.now(UTC), **vars(record)})
            if record.kind == "restore":
                self._recall_seconds()
            if record.kind in ("start", "restore"):
                self._add(RUNS, self._run)
                self._write_later()
        else:
            self._close_events()
            self._end(record)

    def fail(self, reason: str) -> None:
        """Record that the run ended with the exception being handled; earlier records stay."""
        self._close_events()
        now = datetime.now(UTC)
        trace = traceback.format_exc()
        self._add(EVENTS, {"at": now, "kind": "error", "epoch": 0, "detail": trace})
        ended = {"status": Status.ERROR, "stop_reason": reason, "ended_at": now}
        self._add(RUNS, {**self._run, **ended})
        self._write()

    def _add(self, table: Table, *rows: Row) -> None:
        with self._adding:
            waiting = self._waiting.setdefault(table.name, [])
            waiting.extend({**self._key, **row} for row in rows)

    def _write(self) -> None:
        """Write the waiting rows, after those that are being written beside the training."""
        self._end_wait()
        self._write_waiting()

    def _write_later(self) -> None:
        self._end_wait()
        self._hurried.clear()
        self._later = BESIDE.submit(self._write_after_a_while)

    def _write_after_a_while(self) -> None:
        if not self._hurried.wait(LATER_SECONDS):
            self._write_waiting()

    def _write_waiting(self) -> None:
        with self._adding:
            rows = [(TABLES[name], waiting) for name, waiting in self._waiting.items()]
            self._waiting = {}
        self._writer.write_all(rows)

    def _end_wait(self) -> None:
        """Have what is to be written later written no more, or wait until it is."""
        self._hurried.set()
        later, self._later = self._later, None
        if later is not None:
            later.result()

    def _close_events(self) -> None:
        if self._events is not None:
            self._events.close()

    def _recall_seconds(self) -> None:
        rows = self._store.rows_of_run(EPOCHS, self._run_id)
        self._seconds = {row["epoch"]: row["epoch_seconds"] for row in rows}

    def _end(self, record: RunRecord) -> None:
        if self._seconds:
            self.epoch_seconds = statistics.median(self._seconds.values())
        # The last epoch of any other run is no result, so its images must not be averaged over.
        if Status(record.status) is Status.COMPLETED:
            self._add(PREDICTIONS, {"correct_bits": record.correct_bits})
        self._end_wait()
        self._waiting.pop(RUNS.name, None)  # a run that ends at once has not begun for anybody
        # RUNS last: an ended row is what keeps a resume from training this run again.
        ended = {"epoch_seconds": self.epoch_seconds, "ended_at": datetime.now(UTC)}
        self._add(RUNS, {**self._run, **end_columns(record), **ended})
        self._write()
        self._writer.merge(FEW_PARTS)


def is_final(row: Row) -> bool:
    """Return True for the row of a run that has ended for good."""
    return bool(row) and Status(row["status"]).final
