"""One trial: a run for each seed, one after the other, and what the study is told of it."""

from __future__ import annotations

import math
import socket
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sweeps.recorder import RunRecorder
from sweeps.search_space import Params, configure
from sweeps.spec import SweepSpec
from sweeps.store import SweepPaths
from trainers import EpochRecord, Execution, Record, RunConfig, RunRecord, train

OnEpoch = Callable[[int, EpochRecord], None]
"""Called with the index of the seed and each epoch as it ends."""


@dataclass(frozen=True)
class TrialOutcome:
    """How a trial ended; the columns of the table `trials` that its worker knows."""

    status: str
    """completed if every seed did; else what befell the one that did not."""
    objective: float | None
    """Mean over seeds; None unless every run completed."""
    objective_standard_error: float | None
    """None with a single seed."""
    seeds_done: int
    error: str
    hostname: str
    device: str
    data_seconds: float
    train_seconds: float
    report_seconds: float


@dataclass(frozen=True)
class _RunEnd:
    """What a trial needs to know of one of its runs."""

    status: str
    reason: str
    value: float | None
    device: str
    data_seconds: float
    wall_seconds: float
    report_seconds: float


def train_trial(
    spec: SweepSpec,
    paths: SweepPaths,
    number: int,
    params: Params,
    execution: Execution,
    on_epoch: OnEpoch,
) -> TrialOutcome:
    """Train every seed of a trial and write its records.

    A run that does not complete leaves its trial without an objective, since a mean over fewer
    seeds is no rival of the others'. A search wastes no more time on such a trial; a confirmatory
    sweep trains the other seeds too, for it counts how many diverge.
    """
    ends: list[_RunEnd] = []
    for index, seed in enumerate(spec.seeds):
        config = configure(spec, params, seed, execution)
        recorder = RunRecorder(paths, number, config)
        ends.append(_run(config, recorder, spec.objective.metric, index, on_epoch))
        if not _goes_on(spec, ends[-1].status):
            break
    values = [end.value for end in ends if end.status == "completed" and end.value is not None]
    mean, standard_error = mean_over_seeds(values if len(values) == len(spec.seeds) else [])
    data_seconds = sum(end.data_seconds for end in ends)
    report_seconds = sum(end.report_seconds for end in ends)
    wall_seconds = sum(end.wall_seconds for end in ends)
    first = next((end for end in ends if end.status != "completed"), ends[-1])
    return TrialOutcome(
        status=first.status,
        objective=mean,
        objective_standard_error=standard_error,
        seeds_done=len(values),
        error=first.reason,
        hostname=socket.gethostname(),
        device=ends[-1].device,
        data_seconds=data_seconds,
        train_seconds=wall_seconds - data_seconds - report_seconds,
        report_seconds=report_seconds,
    )


def _goes_on(spec: SweepSpec, status: str) -> bool:
    return status == "completed" or (status == "diverged" and spec.purpose == "confirmatory")


def mean_over_seeds(values: list[float]) -> tuple[float | None, float | None]:
    """Return the mean and its standard error, None where they are not defined."""
    if not values:
        return None, None
    if len(values) == 1:
        return values[0], None
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))


def _run(
    config: RunConfig, recorder: RunRecorder, objective: str, index: int, on_epoch: OnEpoch
) -> _RunEnd:
    def report(record: Record) -> None:
        recorder(record)
        if isinstance(record, EpochRecord):
            on_epoch(index, record)

    if recorder.ended is not None:
        return _recorded(recorder.ended, objective)
    started = time.perf_counter()
    run: RunRecord | None = None
    try:
        run = train(config, report=report, resume=True)
        reason = run.stop_reason
    except Exception as error:  # whatever breaks one run is its outcome, not the sweep's end
        reason = f"{type(error).__name__}: {error}"
        recorder.fail(reason)
    return _RunEnd(
        status=run.status if run else "error",
        reason=reason,
        value=getattr(run, objective) if run else None,
        device=run.device if run else config.execution.device,
        data_seconds=run.data_seconds if run else 0.0,
        wall_seconds=time.perf_counter() - started,
        report_seconds=recorder.seconds,
    )


def _recorded(row: Mapping[str, Any], objective: str) -> _RunEnd:
    """Take a run's end from its row: it was trained before."""
    return _RunEnd(
        status=row["status"],
        reason=row["stop_reason"] or "",
        value=row[objective],
        device=row["device"] or "",
        data_seconds=0.0,
        wall_seconds=row["train_seconds"] or 0.0,
        report_seconds=0.0,
    )
