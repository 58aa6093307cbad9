"""One run of a training function of the user's own, in a worker."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from analysis.store.statuses import Status
from sweeps.spec.own_modules import failure
from sweeps.spec.search_space import Params, called_with
from sweeps.spec.sections import SweepSpec
from sweeps.store.function_recorder import FunctionRecorder
from sweeps.store.paths import SweepPaths
from sweeps.workers.run_end import OnEpoch, RunEnd, log_failure, recorded
from sweeps.workers.storage import StorageError, writing_in
from trainers.config import Execution
from trainers.function import FunctionEnd, FunctionRun, Step, train_function
from trainers.seconds import Seconds


def function_run(
    spec: SweepSpec, params: Params, seed: int, checkpoints: Path | None
) -> FunctionRun:
    """Return the run of a trial's parameters from a seed."""
    objective, call = spec.objective, called_with(spec, params)
    best = objective.at == "best"
    largest = objective.of_sweep.largest
    run = FunctionRun(
        call, seed, objective.metric, largest, best, spec.steps, also=spec.also_reported
    )
    return replace(run, checkpoint=checkpoints / run.run_id) if checkpoints else run


def run_function(
    run: FunctionRun,
    trial: int,
    seed_index: int,
    paths: SweepPaths,
    execution: Execution,
    on_epoch: OnEpoch,
    fresh: bool,
) -> RunEnd:
    """Train a run and write its records; a run that has ended before is taken from its row."""
    begun = time.perf_counter()
    recorder = FunctionRecorder(paths, trial, run, fresh)
    if recorder.ended is not None:
        return recorded(recorder.ended, "metric_value", run.also)
    recorder.start()
    reporting = time.perf_counter() - begun

    def on_step(step: Step) -> None:
        nonlocal reporting
        started = time.perf_counter()
        try:
            with writing_in(paths.folder):
                recorder.step(step)
            on_epoch(seed_index, step, "")
        finally:
            reporting += time.perf_counter() - started

    _set_threads(execution)
    started = time.perf_counter()
    try:
        end = train_function(run, on_step, recorder.earlier)
    except StorageError:
        raise
    except Exception as error:  # an error of one run must not end the sweep
        seconds = time.perf_counter() - started
        end = FunctionEnd("error", failure(error), 0, None, seconds)
        recorder.fail(end.stop_reason)
        log_failure(paths.log, run.run_id)
    else:
        recorder.end(end)
    return RunEnd(
        status=Status(end.status),
        reason=end.stop_reason,
        value=end.value,
        epochs_done=end.epochs_done,
        epoch_seconds=recorder.epoch_seconds,
        device=execution.device,
        seconds=Seconds(train=end.seconds),
        report_seconds=reporting,
        also=end.also,
    )


def _set_threads(execution: Execution) -> None:
    if execution.threads is not None and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(execution.threads)
