"""The driver: it opens a sweep, has workers train the sweep's trials, and closes it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path

from rich.console import Console

from analysis.store.errors import StoreError
from analysis.store.schema import EVENTS, SWEEPS
from analysis.store.whole_files import write_atomically
from sweeps.driver.changes import note_code
from sweeps.driver.preparation import Prepared, keep_modules
from sweeps.driver.rows import TrialRows, declared, event, sweep_row
from sweeps.driver.signals import Interrupt, gentle_termination
from sweeps.driver.spending import Spending
from sweeps.driver.sweep import Sweep, begun_view
from sweeps.extras import optional
from sweeps.search.early_stopping import judge_of
from sweeps.search.open_trials import OpenTrial
from sweeps.search.searcher import StudySearcher
from sweeps.search.study import Work, check_free, create_study
from sweeps.spec.search_space import trial_count
from sweeps.spec.sections import ResourcesSection
from sweeps.store.locks import driver_lock
from sweeps.store.paths import SweepPaths
from sweeps.view.live_view import LiveView
from sweeps.workers.dispatch import train_trials
from sweeps.workers.environment import CutOffError, set_ray_variables
from sweeps.workers.watch import Watch


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
        tensorboard: True: each run writes its epochs as event files too.

    Returns:
        True if every trial ran to an end of its own; False after an interrupt.

    Raises:
        StoreError: the name is taken.
        ClusterError: no cluster there, or it lacks what a trial needs.
        CutOffError: the cluster or the storage cannot go on with it.
        NotInstalledError: event files need a package that is not there.
    """
    if tensorboard:
        optional("tensorboardX", "tensorboard", "--tensorboard")
    paths = SweepPaths(root.resolve(), prepared.spec.name)
    paths.check_free()
    paths.check_writable()
    check_free(prepared.spec, paths)
    return drive(_new_sweep(prepared, paths, tensorboard), prepared, console, address)


def drive(
    opened: AbstractContextManager[Sweep], prepared: Prepared, console: Console, address: str | None
) -> bool:
    """Start Ray, open a sweep, have workers train its trials, and close it.

    Ray comes first: where no cluster starts, nothing has been written, and a new name stays free.

    Returns:
        True if every trial ran to an end of its own, or the budget is spent; False after an
        interrupt.

    Raises:
        ClusterError: no cluster there, or it lacks what a trial needs.
        CutOffError: the cluster or the storage cannot go on with it.
    """
    with (
        _started_ray(prepared.spec.resources, console, address),
        gentle_termination() as interrupt,
    ):
        try:
            with opened as sweep:
                return _train_or_tell(sweep, address is not None, interrupt, console)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else "a file cannot be written: "
            raise CutOffError(f"{place}{error.strerror or error}") from error


def _train_or_tell(sweep: Sweep, joined: bool, interrupt: Interrupt, console: Console) -> bool:
    """Train; an error of the storage goes into the log with its traceback, if that can be."""
    try:
        return _train(sweep, joined, interrupt, console)
    except (OSError, StoreError) as error:
        with suppress(OSError), sweep.paths.log.open("a") as file:
            file.write(traceback.format_exc())
        if isinstance(error, StoreError):
            raise CutOffError(f"{error}") from error
        raise


@contextmanager
def _started_ray(
    resources: ResourcesSection, console: Console, address: str | None
) -> Iterator[None]:
    """Start Ray here or join a cluster."""
    set_ray_variables()
    with ExitStack() as stack:
        with console.status(f"starting Ray{f' at {address}' if address else ''}"):
            from sweeps.workers.cluster import cluster  # imports ray, which reads its variables now

            stack.enter_context(cluster(address, resources))
        yield


@contextmanager
def _new_sweep(prepared: Prepared, paths: SweepPaths, tensorboard: bool) -> Iterator[Sweep]:
    spec, trials = prepared.spec, trial_count(prepared.spec)
    view = begun_view(spec, trials)
    view.notes.extend(prepared.notes)
    paths.create()
    with driver_lock(paths):
        writer = paths.store.writer("driver")
        note_code(paths)
        keep_modules(spec, paths)
        if tensorboard:
            paths.tensorboard.mkdir(exist_ok=True)
        writer.write(SWEEPS, [sweep_row(spec, trials)])
        if spec.hypotheses:
            writer.write(EVENTS, [declared(spec, 0)])
        # From now on the sweep can be resumed; a folder without a specification can be begun anew.
        write_atomically(paths.spec, spec.to_json().encode())
        with closing(create_study(spec, paths)) as study:
            yield Sweep(
                spec,
                paths,
                prepared.data_root,
                writer,
                study,
                Work(trials),
                judge_of(spec),
                Spending(spec, paths),
                view,
            )


def _train(sweep: Sweep, joined: bool, interrupt: Interrupt, console: Console) -> bool:
    from sweeps.workers.pool import worker_pool  # see `_started_ray`

    work, spending = sweep.work, sweep.spending
    rows = TrialRows(sweep.paths.sweep, sweep.writer)
    with LiveView(sweep.view, console, _publisher(sweep.paths), lambda: interrupt.reason) as show:

        def on_change(trial: OpenTrial) -> None:
            rows.note(trial)
            show(trial)

        searcher = StudySearcher(sweep.spec, sweep.study, sweep.judge, on_change, work)

        def record() -> None:
            sweep.study.save()
            rows.write()

        def stop_reason() -> str:
            return interrupt.reason or spending.limit_reached(searcher.busy)

        def incident(kind: str, happened: str) -> None:
            sweep.writer.write(EVENTS, [event(sweep.paths.sweep, kind, happened)])
            show.incident(happened)

        reason = spending.limit_reached(0, now=True) if work.trials > 0 else ""
        if work.trials > 0 and not reason:
            data = sweep.data_root
            with worker_pool(sweep.spec, sweep.paths, data, joined, work.trials) as pool:
                show.company = pool.company
                spec = sweep.spec
                watch = Watch(spec.limits, spec.steps, counts_steps=spec.trainer is None)
                try:
                    reason = train_trials(searcher, pool, record, stop_reason, watch, incident)
                except CutOffError as error:
                    with suppress(OSError, StoreError):  # a full disk may be the reason
                        incident("cut off", f"{error}")
                        rows.write(now=True)
                        sweep.finish()
                    raise
        rows.write(now=True)
    sweep.finish()
    if reason.startswith("budget"):
        command = sweep.paths.hint("resume", "--set ...")
        console.print(f"{reason}; a larger budget goes on: {command}", soft_wrap=True)
        return True
    return sweep.view.complete


def _publisher(paths: SweepPaths) -> Callable[[str], None]:
    """Return a function that puts the view's text into a file, for other processes.

    The file is replaced as a whole; it may be lost in a crash, since the store has all of it.
    """
    temporary = paths.progress.with_suffix(".tmp")

    def publish(text: str) -> None:
        with suppress(OSError):  # the store's writer reports a full disk
            temporary.write_text(text, "utf-8")
            temporary.replace(paths.progress)

    return publish
