"""Runs a sweep from its specification to compacted results."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

import analysis
from analysis.store.contract import RowWriter
from analysis.store.schema import RUNS, SWEEPS, TRIALS
from analysis.store.whole_files import write_atomically
from sweeps.driver.changes import note_code
from sweeps.driver.spending import Limits
from sweeps.extras import optional
from sweeps.search.early_stopping import Judge
from sweeps.search.searcher import StudySearcher
from sweeps.search.study import OpenTrial, SweepStudy, Work, check_free, create_study
from sweeps.spec.reading import SpecError
from sweeps.spec.search_space import check, trial_count
from sweeps.spec.sections import SweepSpec
from sweeps.store.locks import driver_lock
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_version, versions
from sweeps.view.live_view import LiveView
from sweeps.view.overview import rows
from sweeps.view.progress import SweepView
from sweeps.workers import environment as ray_environment
from sweeps.workers.dispatch import search
from trainers.config import DataConfig
from trainers.data.sources import DataUnavailableError, available, data_root, provide

ROWS_SECONDS = 0.5
"""How often rows of trials are written."""


@dataclass(frozen=True)
class Prepared:
    """A sweep that can start: checked, with its data at hand."""

    spec: SweepSpec
    data_root: Path
    notes: tuple[str, ...]
    """What the user should know before it starts."""


def prepare(spec: SweepSpec, address: str | None = None) -> Prepared:
    """Check all that can be checked before anything is written.

    Args:
        spec: what to run.
        address: the cluster to run on, whose GPUs are counted when it is joined; None: here.

    Raises:
        SpecError: a setting cannot be run, or there is no GPU.
        DataUnavailableError: the data is not there and cannot be fetched.
    """
    notes = check(spec)
    if address is None:
        _check_devices(spec)
    root = data_root()
    try:
        if not available(spec.data.name, root):
            provide(spec.data.name, root)
    except DataUnavailableError as error:
        if spec.data_fallback is None:
            raise
        notes.append(f"{error}: training on {spec.data_fallback} instead")
        data = DataConfig(spec.data_fallback, spec.data.validation)
        spec = spec.model_copy(update={"data": data})
    return Prepared(spec, root, tuple(notes))


def run_sweep(
    prepared: Prepared,
    root: Path,
    console: Console,
    address: str | None = None,
    tensorboard: bool = False,
) -> bool:
    """Run a sweep to its end, or to an interrupt, and compact what it wrote.

    Args:
        prepared: from `prepare`.
        root: where results go; the sweep makes a folder of its name in it.
        console: for the live view.
        address: a Ray cluster to run on; None: this machine.
        tensorboard: whether each run writes its epochs as event files too.

    Returns:
        Whether every trial ran to an end of its own; False after an interrupt.

    Raises:
        StoreError: the name is taken.
        ClusterError: no cluster there, or it lacks what a trial needs.
        NotInstalledError: event files need a package that is not there.
    """
    if tensorboard:
        optional("tensorboardX", "tensorboard", "--tensorboard")
    spec = prepared.spec
    paths = SweepPaths(root.resolve(), spec.name)
    paths.check_free()
    check_free(spec, paths)

    def start(writer: RowWriter) -> tuple[SweepStudy, Work]:
        write_atomically(paths.spec, spec.to_json().encode())
        note_code(paths)
        if tensorboard:
            paths.tensorboard.mkdir(exist_ok=True)
        writer.write(SWEEPS, [sweep_row(spec, trial_count(spec))])
        return create_study(spec, paths), Work(trial_count(spec))

    view = _view(spec, trial_count(spec), prepared.notes)
    return drive(prepared, paths, view, console, address, start, again=False)


def drive(
    prepared: Prepared,
    paths: SweepPaths,
    view: SweepView,
    console: Console,
    address: str | None,
    start: Callable[[RowWriter], tuple[SweepStudy, Work]],
    again: bool,
) -> bool:
    """Do a sweep's work on a cluster: what `start` says, once the sweep's folder is ours."""
    ray_environment.prepare()
    with ExitStack() as stack:
        with console.status(f"starting Ray{f' at {address}' if address else ''}"):
            from sweeps.workers.pool import cluster, worker_pool  # ray reads its environment now

            slots = stack.enter_context(cluster(address, prepared.spec.resources))
        paths.create(again)
        with driver_lock(paths), gentle_termination() as interrupt:
            writer = paths.store.writer("driver")
            study, work = start(writer)
            stack.callback(study.close)
            rows = TrialRows(paths.sweep, writer)
            limits = Limits(prepared.spec, paths)
            reason = ""
            with LiveView(view, console, _publisher(paths), lambda: interrupt.reason) as show:

                def on_change(trial: OpenTrial, status: str) -> None:
                    rows.note(trial, status)
                    show(trial, status)

                searcher = StudySearcher(
                    prepared.spec, study, recalled_judge(prepared.spec, paths), on_change, work
                )

                def record() -> None:
                    study.save()
                    rows.write()

                def stop_reason() -> str:
                    return interrupt.reason or limits.reached(searcher.busy)

                if work.trials > 0 and not (reason := limits.reached(0, now=True)):
                    data = prepared.data_root
                    with worker_pool(prepared.spec, paths, data, slots, work.trials) as pool:
                        reason = search(searcher, pool, record, stop_reason)
                rows.write(now=True)
            close_runs(paths, writer)
            paths.store.compact()
    if reason.startswith("budget"):
        console.print(f"{reason}; a larger budget goes on: `sweeps resume {paths.sweep} --set ...`")
        return True
    return view.complete


class TrialRows:
    """Rows of the table `trials`, of which only the last of each trial is worth a file.

    A crash may lose those of the last moments: the study and the runs know of the trials, and a
    resumed sweep writes them again.
    """

    def __init__(self, sweep: str, writer: RowWriter) -> None:
        self._sweep = sweep
        self._writer = writer
        self._status: dict[int, str] = {}
        self._rows: dict[int, dict[str, object]] = {}
        self._written_at = 0.0

    def note(self, trial: OpenTrial, status: str) -> None:
        """Take a trial's row, if its status is another than before."""
        if self._status.get(trial.number) == status:
            return
        self._rows[trial.number] = trial_row(self._sweep, trial, status)
        if status == "running":
            self._status[trial.number] = status
        else:
            self._status.pop(trial.number, None)

    def write(self, now: bool = False) -> None:
        """Write the rows that wait, at intervals or now."""
        if self._rows and (now or time.monotonic() - self._written_at > ROWS_SECONDS):
            self._writer.write(TRIALS, list(self._rows.values()))
            self._rows.clear()
            self._written_at = time.monotonic()


@dataclass
class Interrupt:
    """Whether somebody asked the driver to stop."""

    reason: str = ""

    def hear(self, number: int, _frame: object) -> None:
        """Take note of a signal; whoever sends a second one does not want to wait.

        Raises:
            KeyboardInterrupt: the second time.
        """
        if self.reason:
            raise KeyboardInterrupt
        self.reason = signal.Signals(number).name


@contextmanager
def gentle_termination() -> Iterator[Interrupt]:
    """Take Ctrl-C and requests to terminate as a wish to stop in good order."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt  # only the main thread hears signals
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interrupt.hear) for number in numbers}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def recalled_judge(spec: SweepSpec, paths: SweepPaths) -> Judge:
    """Make a judge that knows every epoch in the store."""
    judge = Judge(spec.early_stopping, len(spec.seeds), spec.recipe.epochs)
    results = analysis.load(paths.folder)
    runs = results.runs[["run_id", "trial", "seed"]].set_index("run_id")
    index = {seed: place for place, seed in enumerate(spec.seeds)}
    epochs = results.epochs[["run_id", "epoch", "val_error_percent"]].join(runs, on="run_id")
    completed = results.trials.loc[results.trials["status"] == "completed", "trial"]
    known = epochs.dropna()
    places = [index[seed] for seed in known["seed"].astype(int)]
    numbers, ages = known["trial"].astype(int), known["epoch"].astype(int)
    errors = known["val_error_percent"].astype(float)
    judge.recall(zip(numbers, places, ages, errors, strict=True), completed.astype(int))
    return judge


def sweep_row(spec: SweepSpec, trials: int) -> dict[str, object]:
    """Describe a sweep of so many trials for the table `sweeps`."""
    return {
        "sweep": spec.name,
        "benchmark": spec.benchmark,
        "purpose": spec.purpose,
        "search": spec.search.algorithm,
        "early_stopping": spec.early_stopping.rule,
        "metric": spec.objective.metric,
        "validation": spec.data.validation,
        "epochs_planned": spec.recipe.epochs,
        "trials_planned": trials,
        "seeds": len(spec.seeds),
        "claims": list(spec.claims),
        "spec_json": spec.to_json(),
        "spec_sha256": spec.sha256,
        "code_version": code_version(),
        "versions_json": json.dumps(versions(), sort_keys=True),
        "created_at": datetime.now(UTC),
    }


def trial_row(sweep: str, trial: OpenTrial, status: str) -> dict[str, object]:
    """Describe a trial for the table `trials`: what its worker reported, and our own times."""
    known = {name: trial.result[name] for name in TRIALS.schema.names if name in trial.result}
    started = trial.result.get("started_at")
    return {
        **known,
        "sweep": sweep,
        "trial": trial.number,
        "config_id": trial.config_id,
        "status": status,
        "params_json": json.dumps(trial.params),
        "search_seconds": trial.search_seconds,
        "started_at": datetime.fromtimestamp(started or trial.given_at, UTC),
        "ended_at": None if status == "running" else datetime.now(UTC),
    }


def close_runs(paths: SweepPaths, writer: RowWriter) -> None:
    """Record the runs that no worker has any more as interrupted."""
    results = analysis.load(paths.folder)
    left = results.runs[results.runs["status"] == "running"]
    epochs = results.epochs["run_id"].value_counts()
    ended = {"status": "interrupted", "ended_at": datetime.now(UTC)}
    known = rows(left.astype(object).where(left.notna(), None))
    writer.write(
        RUNS, [{**row, **ended, "epochs_done": int(epochs.get(row["run_id"], 0))} for row in known]
    )


def _view(spec: SweepSpec, trials: int, notes: tuple[str, ...]) -> SweepView:
    seeds, epochs = len(spec.seeds), spec.recipe.epochs
    return SweepView(spec.name, trials, seeds, epochs, spec.subject, notes=list(notes))


def _publisher(paths: SweepPaths) -> Callable[[str], None]:
    """Keep the view in a file, replaced as a whole; a crash may lose it, for the store has all."""
    temporary = paths.progress.with_suffix(".tmp")

    def publish(text: str) -> None:
        with suppress(OSError):  # a full disk is the store's to report
            temporary.write_text(text, "utf-8")
            temporary.replace(paths.progress)

    return publish


def _check_devices(spec: SweepSpec) -> None:
    if spec.resources.gpus > 0:
        import torch

        if not torch.cuda.is_available():
            raise SpecError(
                f"resources.gpus: {spec.resources.gpus} a trial asked for, and this machine has"
                " none; set it to 0, or name a cluster that has one with --address"
            )
