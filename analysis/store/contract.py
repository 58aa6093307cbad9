"""The promises of a store of results to its writers and its readers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.store.errors import DamagedFile
from analysis.store.schema import RUNS, Table

Row = Mapping[str, Any]
"""The values of a row by column; a column that is left out is null."""


class SweepStore(ABC):
    """The tables of one sweep, which many processes write while others read.

    `analysis.store.testing` checks every promise but the first:

    - *Durable.* Rows survive a crash of the process, and of the machine, once a write returned.
    - *Whole.* Rows of one call of `write_all` are read together, or none of them is.
    - *The last row wins.* Of rows with one key, the row is read that its writer wrote last. Where
      several writers wrote one, an end outranks a beginning (`Status.rank`); no clock decides.
    - *Consistent.* A reader finds every row that was durable when it began, also while others
      write, merge and compact.
    - *Lossless.* Merging and compacting change nothing that can be read; null stays null, and NaN
      stays NaN.
    - *Damage is named.* A file that cannot be read is named and left out. It is neither deleted
      nor written over, and the rows of the others are read.
    - *Nothing vanishes.* A row with a column that the table lacks is refused.
    """

    @abstractmethod
    def writer(self, name: str, new: bool = False) -> RowWriter:
        """Return a writer of rows.

        Args:
            name: belongs to one writer at a time; the writer of a run has the run's id.
            new: True if no writer had the name before, which saves a look for its parts.
        """

    @abstractmethod
    def read(
        self, table: Table, columns: Sequence[str] | None = None
    ) -> tuple[pd.DataFrame, list[DamagedFile]]:
        """Return a table in the order of its key, and the damaged files that were left out.

        Args:
            table: the table to read.
            columns: the columns to read beside the key's; None: all.

        Raises:
            StoreError: a newer version of the schema wrote a file.
        """

    @abstractmethod
    def rows_of_run(self, table: Table, run_id: str) -> list[dict[str, Any]]:
        """Return the rows of one run that are compacted or that the run's own writer wrote."""

    @abstractmethod
    def compact(self) -> list[DamagedFile]:
        """Make reading fast, once nobody writes; return and warn of the damaged files.

        Raises:
            StoreError: a newer version of the schema wrote a file.
        """

    def row_of_run(self, run_id: str) -> dict[str, Any] | None:
        """Return the row of one run in the table `runs`; None if the sweep has none."""
        rows = self.rows_of_run(RUNS, run_id)
        return rows[-1] if rows else None

    def has_run(self, run_id: str) -> bool:
        """Return False if the sweep surely has no row of a run; a store may do so at less cost."""
        return self.row_of_run(run_id) is not None


class RowWriter(ABC):
    """Appends rows to the tables of one sweep; see `SweepStore` for what holds once it returns."""

    def write(self, table: Table, rows: Sequence[Row]) -> None:
        """Write rows of one table.

        Raises:
            StoreError: a row has a column that the table lacks.
        """
        self.write_all([(table, rows)])

    @abstractmethod
    def write_all(self, tables: Sequence[tuple[Table, Sequence[Row]]]) -> None:
        """Write rows of several tables at once.

        Raises:
            StoreError: a row has a column that its table lacks.
        """

    @abstractmethod
    def merge(self, beyond: int = 1) -> None:
        """Join what this writer wrote in more than so many writes, so that it reads faster.

        Merged rows count as newly written: only a writer that has the last word on all of its
        keys may merge.
        """
