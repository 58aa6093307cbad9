"""One trial: a run for each seed, one after the other, and what the study is told of it."""

from __future__ import annotations

import math
import socket
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sweeps.spec.search_space import Params, configure
from sweeps.spec.sections import ObjectiveSection, SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.recorder import RunRecorder
from trainers import EpochRecord, Execution, Record, RunConfig, RunRecord, train

OnEpoch = Callable[[int, EpochRecord], None]
"""Called with the index of the seed and each epoch as it ends."""


@dataclass(frozen=True)
class TrialOutcome:
    """How a trial ended; the columns of the table `trials` that its worker knows."""

    status: str
    """completed if every seed did; else what befell the one that did not."""
    objective: float | None
    """Mean over seeds, and what the specification adds; None unless every run completed."""
    objective_standard_error: float | None
    """Of the mean; None with a single seed."""
    seeds_done: int
    epochs_done: int
    """Over all seeds."""
    epoch_seconds: float | None
    """Mean over seeds of their median epoch; None as the objective."""
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
    epochs_done: int
    epoch_seconds: float | None
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
    fresh: bool = False,
) -> TrialOutcome:
    """Train every seed of a trial and write its records.

    Of a `fresh` trial's runs nothing is on record yet, so nothing is looked for.

    A run that does not complete leaves its trial without an objective, since a mean over fewer
    seeds is no rival of the others'. A search wastes no more time on such a trial; a confirmatory
    sweep trains the other seeds too, for it counts how many diverge.
    """
    ends: list[_RunEnd] = []
    for index, seed in enumerate(spec.seeds):
        config = RunConfig.of(configure(spec, params), seed, execution)
        begun = time.perf_counter()
        recorder = RunRecorder(paths, number, config, fresh)
        ends.append(_run(config, recorder, spec.objective.metric, index, on_epoch, begun))
        if not _goes_on(spec, ends[-1].status):
            break
    completed = [end for end in ends if end.status == "completed"]
    values = [end.value for end in completed if end.value is not None]
    whole = values if len(values) == len(spec.seeds) else []
    mean, standard_error = mean_over_seeds(whole)
    times = [end.epoch_seconds for end in completed if end.epoch_seconds is not None]
    data_seconds = sum(end.data_seconds for end in ends)
    report_seconds = sum(end.report_seconds for end in ends)
    wall_seconds = sum(end.wall_seconds for end in ends)
    first = next((end for end in ends if end.status != "completed"), ends[-1])
    return TrialOutcome(
        status=first.status,
        objective=objective_value(spec.objective, mean, standard_error),
        objective_standard_error=standard_error,
        seeds_done=len(values),
        epochs_done=sum(end.epochs_done for end in ends),
        epoch_seconds=statistics.fmean(times) if whole and times else None,
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


def objective_value(
    objective: ObjectiveSection, mean: float | None, standard_error: float | None
) -> float | None:
    """Return what the search minimises: the mean, and so many standard errors."""
    if mean is None:
        return None
    return mean + objective.plus_standard_errors * (standard_error or 0.0)


def _run(
    config: RunConfig,
    recorder: RunRecorder,
    objective: str,
    index: int,
    on_epoch: OnEpoch,
    started: float,
) -> _RunEnd:
    reporting = time.perf_counter() - started

    def report(record: Record) -> None:
        nonlocal reporting
        begun = time.perf_counter()
        try:
            recorder(record)
            if isinstance(record, EpochRecord):
                on_epoch(index, record)
        finally:
            reporting += time.perf_counter() - begun

    if recorder.ended is not None:
        return _recorded(recorder.ended, objective)
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
        epochs_done=run.epochs_done if run else 0,
        epoch_seconds=recorder.epoch_seconds,
        device=run.device if run else config.execution.device,
        data_seconds=run.data_seconds if run else 0.0,
        wall_seconds=time.perf_counter() - started,
        report_seconds=reporting,
    )


def _recorded(row: Mapping[str, Any], objective: str) -> _RunEnd:
    """Take a run's end from its row: it was trained before."""
    return _RunEnd(
        status=row["status"],
        reason=row["stop_reason"] or "",
        value=row[objective],
        epochs_done=row["epochs_done"] or 0,
        epoch_seconds=row["epoch_seconds"],
        device=row["device"] or "",
        data_seconds=0.0,
        # Of a run that another sweep trained, this trial spent none of the time.
        wall_seconds=0.0 if row["reused_from"] else row["train_seconds"] or 0.0,
        report_seconds=0.0,
    )
