"""Spending: what a sweep used of its budget, kept in a file so that a resumed sweep counts on."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass

from analysis.store.whole_files import write_atomically
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths

LOOK_SECONDS = 5.0
"""The time between two counts of the spending; a killed driver forgets no more than that."""


@dataclass(frozen=True)
class Spent:
    """Time spent so far, over all drivers of a sweep."""

    wall_seconds: float = 0.0
    gpu_seconds: float = 0.0


def read_spent(paths: SweepPaths) -> Spent:
    """Read the time that earlier drivers spent."""
    try:
        return Spent(**json.loads(paths.spent.read_text("utf-8")))
    except FileNotFoundError:
        return Spent()


class Spending:
    """Counts what a sweep spends while it runs, and compares it with the budget."""

    def __init__(self, spec: SweepSpec, paths: SweepPaths) -> None:
        self._budget = spec.budget
        self._gpus = spec.resources.gpus
        self._paths = paths
        self._spent = read_spent(paths)
        self._looked_at = time.monotonic()
        self._reason = ""

    def limit_reached(self, running: int, now: bool = False) -> str:
        """Return which limit of the budget is reached; empty while none is.

        Args:
            running: how many trials run; while none does, no time is spent.
            now: count at once, not at intervals.
        """
        elapsed = time.monotonic() - self._looked_at
        if elapsed < LOOK_SECONDS and not now:
            return self._reason
        self._looked_at += elapsed
        if running > 0:  # a driver that waits for machines spends nothing
            gpu_seconds = self._spent.gpu_seconds + elapsed * running * self._gpus
            self._spent = Spent(self._spent.wall_seconds + elapsed, gpu_seconds)
        write_atomically(self._paths.spent, json.dumps(asdict(self._spent)).encode())
        self._reason = self._compare()
        return self._reason

    def _compare(self) -> str:
        budget, spent = self._budget, self._spent
        hours = {"wall_hours": spent.wall_seconds / 3600, "gpu_hours": spent.gpu_seconds / 3600}
        for name, value in hours.items():
            limit = getattr(budget, name)
            if limit is not None and value >= limit:
                return f"budget.{name}: {limit:g} are spent"
        if budget.megabytes is not None:
            # A walk over all files: seconds where there are 100,000, so not without need.
            size = sum(
                file.stat().st_size for file in self._paths.folder.rglob("*") if file.is_file()
            )
            if size >= budget.megabytes * 1e6:
                return f"budget.megabytes: {budget.megabytes:g} are used"
        return ""
