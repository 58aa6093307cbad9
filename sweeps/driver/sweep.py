"""An open sweep: all that its driver needs, and the end that every driver gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import analysis
from analysis.store.contract import RowWriter
from analysis.store.errors import StoreError
from analysis.store.statuses import Status
from sweeps.driver.rows import close_runs
from sweeps.driver.spending import Spending
from sweeps.search.early_stopping import Judge
from sweeps.search.study import SweepStudy, Work
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.view.progress import Best, SweepView


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
        """Close the runs that were cut off, and put each table into one file.

        Raises:
            StoreError: the tables lack trials that this driver has seen end.
        """
        close_runs(analysis.load(self.paths.folder), self.paths.store)
        self.paths.store.compact()
        trials = analysis.load(self.paths.folder).table("trials", ["status"])
        there = trials["status"].value_counts()
        lost = {s: n - int(there.get(s, 0)) for s, n in self.view.counts.items() if s.final}
        if any(count > 0 for count in lost.values()):
            found = sum(int(there.get(status, 0)) for status in lost)
            raise StoreError(
                f"{self.view.done} trials of {self.paths.sweep!r} ended, and its tables have"
                f" {found}: files were removed or damaged meanwhile"
            )


def begun_view(
    spec: SweepSpec,
    trials: int,
    counts: Mapping[Status, int] | None = None,
    best: Best | None = None,
    front: Mapping[str, list[float]] | None = None,
) -> SweepView:
    """Make the view of a sweep that begins, or goes on.

    Args:
        spec: of the sweep.
        trials: of the whole sweep.
        counts: trials that ended under an earlier driver, by status.
        best: of those trials.
        front: of those trials, see `SweepView.front`.
    """
    ended = dict(counts or {})
    return SweepView(
        spec.name,
        trials,
        spec.seeds_each,
        spec.steps,
        spec.subject,
        metric=spec.objective.of_sweep,
        counts=ended,
        best=best,
        also=spec.also,
        front=dict(front or {}),
        done_before=sum(ended.values()),
    )
