"""An open sweep: all that its driver needs, and the end that every driver gives it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import analysis
from analysis.store.contract import RowWriter
from sweeps.driver.rows import close_runs
from sweeps.driver.spending import Spending
from sweeps.search.early_stopping import Judge
from sweeps.search.study import SweepStudy, Work
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.view.progress import SweepView


@dataclass(frozen=True)
class Sweep:
    """A sweep, new or taken up again, whose folder this driver has for itself."""

    spec: SweepSpec
    paths: SweepPaths
    data_root: Path
    writer: RowWriter
    study: SweepStudy
    work: Work
    judge: Judge
    spending: Spending
    view: SweepView

    def finish(self) -> None:
        """Close the runs that were cut off, and put each table into one file."""
        close_runs(analysis.load(self.paths.folder), self.writer)
        self.paths.store.compact()
