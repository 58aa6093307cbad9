"""The end of a run, as far as its trial's outcome depends on it, and the log of failed ones."""

from __future__ import annotations

import contextlib
import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

from analysis.store.contract import Row
from analysis.store.statuses import Status
from trainers.function import Step
from trainers.records import EpochRecord
from trainers.seconds import Seconds

OnEpoch = Callable[[int, EpochRecord | Step, str], None]
"""Is called with the seed's index and each epoch as it ends, and a warning or an empty text."""


@dataclass(frozen=True)
class RunEnd:
    """The end of a run."""

    status: Status
    reason: str
    value: float | None
    """The metric of the sweep."""
    epochs_done: int
    epoch_seconds: float | None
    device: str
    seconds: Seconds
    report_seconds: float
    also: Mapping[str, float] = field(default_factory=dict)
    """The further objectives but `epoch_seconds`, by name, as far as the run has them."""


def recorded(row: Row, metric: str, also: Sequence[str] = ()) -> RunEnd:
    """Take the end of a run that was trained before from its row.

    Args:
        row: of the table `runs`.
        metric: the column that has the sweep's metric.
        also: names of the further objectives.
    """
    return RunEnd(
        status=Status(row["status"]),
        reason=row["stop_reason"] or "",
        value=row[metric],
        epochs_done=row["epochs_done"] or 0,
        epoch_seconds=row["epoch_seconds"],
        device=row["device"] or "",
        # The time of a run that another sweep trained was not spent by this trial.
        seconds=Seconds() if row["reused_from"] else _stored(row),
        report_seconds=0.0,
        also=known(also, {**row, **json.loads(row.get("also_json") or "{}")}),
    )


def known(names: Sequence[str], numbers: Row) -> dict[str, float]:
    """Return the numbers of these names, without those that are None."""
    found = {name: numbers.get(name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def log_failure(log: Path, run_id: str) -> None:
    """Append the traceback of the exception being handled to the sweep's log."""
    text = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} run {run_id} failed\n{traceback.format_exc()}"
    with contextlib.suppress(OSError), log.open("a") as file:
        file.write(text)  # at once: several workers write, each at the end


def _stored(row: Row) -> Seconds:
    """Read a run's seconds from its row; an older row has some of them."""
    return Seconds(**{f.name: row.get(f"{f.name}_seconds") or 0.0 for f in fields(Seconds)})
