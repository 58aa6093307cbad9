"""Hand records to the caller, at least once each, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from trainers.records import Record, Report, RunStopped


class Handover:
    """Records that wait for the caller; a checkpoint holds those that it has not been given yet."""

    def __init__(self, report: Report | None) -> None:
        self.report = report
        self.waiting: deque[Record] = deque()

    def add(self, *records: Record) -> None:
        """Queue records."""
        self.waiting.extend(records)

    def flush(self) -> None:
        """Hand over all that waits.

        Raises:
            RunStopped: the caller wants the run to end; the record at hand counts as given.
        """
        while self.waiting:
            record = self.waiting.popleft()
            if self.report is not None:
                self.report(record)

    def flush_ended(self, records: Iterable[Record] = ()) -> None:
        """Hand over all that waits and `records` of a run that has ended: no stop stops it."""
        self.add(*records)
        while self.waiting:
            try:
                self.flush()
            except RunStopped:
                continue
