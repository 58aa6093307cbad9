"""The outbox of a run: its records go to the caller in order, each at least once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from trainers.records import Record, Reporter, RunStopped


class Outbox:
    """Records on their way to the caller; a checkpoint holds those not yet delivered."""

    def __init__(self, report: Reporter | None) -> None:
        self.report = report
        self.waiting: deque[Record] = deque()

    def add(self, *records: Record) -> None:
        """Queue records."""
        self.waiting.extend(records)

    def flush(self) -> None:
        """Deliver all queued records.

        Raises:
            RunStopped: the caller wants the run to end; the record at hand counts as delivered.
        """
        while self.waiting:
            # Taken off first: a record at which the caller stops is not delivered again.
            record = self.waiting.popleft()
            if self.report is not None:
                self.report(record)

    def flush_ended(self, records: Iterable[Record] = ()) -> None:
        """Deliver all queued records and `records`, of a run that has ended already.

        RunStopped is ignored: there is nothing left to stop.
        """
        self.add(*records)
        while self.waiting:
            try:
                self.flush()
            except RunStopped:
                continue
