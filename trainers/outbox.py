"""The outbox of a run: its records go to the caller in order, each at least once.

A caller may put records down together, so those that it was given count as safe only once it has
taken an epoch after them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from trainers.records import EpochRecord, Record, Reporter, RunStopped


class Outbox:
    """Records on their way to the caller; a checkpoint holds those that may not be safe yet."""

    def __init__(self, report: Reporter | None) -> None:
        self.report = report
        self.waiting: deque[Record] = deque()
        self._given: list[Record] = []

    @property
    def unsafe(self) -> list[Record]:
        """The records that would be lost with this process, given ones before those that wait."""
        return [*self._given, *self.waiting]

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
            self._given.append(record)
            try:
                if self.report is not None:
                    self.report(record)
            except RunStopped:
                self._note_taken(record)
                raise
            self._note_taken(record)

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

    def _note_taken(self, record: Record) -> None:
        if isinstance(record, EpochRecord):
            self._given.clear()
