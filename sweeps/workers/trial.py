"""One trial: a run for each seed, one after the other, and the trial's outcome over them."""

from __future__ import annotations

import math
import socket
import statistics
import time
from collections.abc import Sequence
from dataclasses import fields

from analysis.store.statuses import Status
from sweeps.search.open_trials import TrialOutcome
from sweeps.spec.own_modules import failure
from sweeps.spec.repetitions import seeds_of
from sweeps.spec.search_space import Params, configure
from sweeps.spec.sections import ObjectiveSection, SweepSpec
from sweeps.store.earlier_runs import under_stored_id
from sweeps.store.paths import SweepPaths
from sweeps.store.recorder import RunRecorder
from sweeps.workers.function_run import function_run, run_function
from sweeps.workers.run_end import OnEpoch, RunEnd, known, log_failure, recorded
from sweeps.workers.storage import StorageError, blames_storage, writing_in
from trainers import EpochRecord, Event, Execution, Record, RunConfig, RunRecord, train
from trainers.seconds import Seconds


def train_trial(
    spec: SweepSpec,
    paths: SweepPaths,
    number: int,
    params: Params,
    execution: Execution,
    on_epoch: OnEpoch,
    fresh: bool = False,
    added_seeds: Sequence[int] = (),
) -> TrialOutcome:
    """Train every seed of a trial and write the runs' records.

    A run that does not complete leaves its trial without an objective, since a mean over fewer
    seeds is no rival of the others'. A search wastes no more time on such a trial; a confirmatory
    sweep trains the other seeds too, for it counts how many diverge.

    Args:
        spec: of the sweep.
        paths: of the sweep.
        number: the trial's.
        params: drawn for the trial.
        execution: where and how to train.
        on_epoch: may end the trial with `RunStopped`.
        fresh: True where the sweep has no record of the trial's runs: none is looked for.
        added_seeds: those of the trial beyond the specification's.

    Raises:
        StorageError: the sweep's folder takes no more files.
    """
    seeds = seeds_of(spec, params, added_seeds)
    shares = spec.purpose != "timing"  # a time is measured anew
    ends: list[RunEnd] = []
    for seed_index, seed in enumerate(seeds):
        # The recorder looks for earlier records: its start is part of the time for reports.
        begun = time.perf_counter()
        with writing_in(paths.folder):
            if spec.trainer is not None:
                own = function_run(spec, params, seed, execution.checkpoint_folder)
                end = run_function(own, number, seed_index, paths, execution, on_epoch, fresh)
            else:
                config = RunConfig.of(configure(spec, params), seed, execution)
                config = config if fresh else under_stored_id(config, paths)
                recorder = RunRecorder(paths, number, config, fresh, shares)
                end = _run(spec, config, recorder, seed_index, on_epoch, begun, paths)
        ends.append(end)
        if not _goes_on(spec, ends[-1].status):
            break
    return _outcome(spec, ends, len(seeds))


def _outcome(spec: SweepSpec, ends: list[RunEnd], seeds: int) -> TrialOutcome:
    """Sum up the ends of a trial's runs, of which there may be fewer than its seeds."""
    completed = [end for end in ends if end.status is Status.COMPLETED]
    values = [end.value for end in completed if end.value is not None]
    whole = values if len(values) == seeds else []
    mean, standard_error = mean_over_seeds(whole)
    times = [end.epoch_seconds for end in completed if end.epoch_seconds is not None]
    spent = Seconds()
    for end in ends:
        spent.add(end.seconds)
    # One seed that fails decides the trial's status: its end says why there is no objective.
    first = next((end for end in ends if end.status is not Status.COMPLETED), ends[-1])
    return TrialOutcome(
        status=first.status,
        objective=objective_value(spec.objective, mean, standard_error),
        objective_standard_error=standard_error,
        also=_means(spec.also_reported, completed) if whole else {},
        seeds_done=len(values),
        epochs_done=sum(end.epochs_done for end in ends),
        epoch_seconds=statistics.fmean(times) if whole and times else None,
        error=first.reason,
        hostname=socket.gethostname(),
        device=ends[-1].device,
        data_seconds=spent.data,
        setup_seconds=spent.setup,
        train_seconds=spent.train,
        evaluation_seconds=spent.evaluation,
        snapshot_seconds=spent.snapshot,
        checkpoint_seconds=spent.checkpoint,
        report_seconds=sum(end.report_seconds for end in ends),
    )


def _means(names: Sequence[str], completed: list[RunEnd]) -> dict[str, float]:
    """Return the mean of each further objective, as far as every run has it."""
    whole = [name for name in names if all(name in end.also for end in completed)]
    return {name: statistics.fmean(end.also[name] for end in completed) for name in whole}


def _goes_on(spec: SweepSpec, status: Status) -> bool:
    diverged = status is Status.DIVERGED
    return status is Status.COMPLETED or (diverged and spec.purpose == "confirmatory")


def mean_over_seeds(values: list[float]) -> tuple[float | None, float | None]:
    """Return the mean and its standard error; None where one is not defined."""
    if not values:
        return None, None
    if len(values) == 1:
        return values[0], None
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))


def objective_value(
    objective: ObjectiveSection, mean: float | None, standard_error: float | None
) -> float | None:
    """Return the value of a trial: the mean, made worse by so many standard errors."""
    if mean is None:
        return None
    caution = objective.plus_standard_errors * (standard_error or 0.0)
    return mean - caution if objective.of_sweep.largest else mean + caution


def _run(
    spec: SweepSpec,
    config: RunConfig,
    recorder: RunRecorder,
    seed_index: int,
    on_epoch: OnEpoch,
    started: float,
    paths: SweepPaths,
) -> RunEnd:
    reporting = time.perf_counter() - started
    warning = ""

    def report(record: Record) -> None:
        nonlocal reporting, warning
        begun = time.perf_counter()
        try:
            with writing_in(paths.folder):
                recorder(record)
            if isinstance(record, Event) and record.kind == "unstable":
                warning = record.detail
            elif isinstance(record, EpochRecord):
                on_epoch(seed_index, record, warning)
                warning = ""
        finally:
            reporting += time.perf_counter() - begun

    if recorder.ended is not None:
        return recorded(recorder.ended, spec.objective.metric, spec.also_reported)
    run: RunRecord | None = None
    try:
        run = train(config, report=report, resume=True)
        reason = run.stop_reason
    except StorageError:
        raise
    except Exception as error:  # an error of one run must not end the sweep
        if blames_storage(error, paths.folder):
            raise
        reason = failure(error)
        recorder.fail(reason)
        log_failure(paths.log, config.run_id)
    return RunEnd(
        status=Status(run.status) if run else Status.ERROR,
        reason=reason,
        value=getattr(run, spec.objective.metric) if run else None,
        epochs_done=run.epochs_done if run else 0,
        epoch_seconds=recorder.epoch_seconds,
        device=run.device if run else config.execution.device,
        seconds=_spent(run) if run else Seconds(train=time.perf_counter() - started - reporting),
        report_seconds=reporting,
        also=known(spec.also_reported, vars(run)) if run else {},
    )


def _spent(run: RunRecord) -> Seconds:
    return Seconds(**{f.name: getattr(run, f"{f.name}_seconds") for f in fields(Seconds)})
