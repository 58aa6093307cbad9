"""One run without Ray, recorded as a sweep of one trial and one seed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import analysis
from analysis.store.errors import StoreError
from analysis.store.schema import SWEEPS, TRIALS
from analysis.store.whole_files import write_atomically
from sweeps.driver.preparation import Prepared, keep_modules
from sweeps.driver.rows import close_runs, sweep_row, trial_row
from sweeps.search.open_trials import OpenTrial, TrialOutcome
from sweeps.spec.overrides import with_settings
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import configure
from sweeps.spec.sections import SweepSpec
from sweeps.store.locks import driver_lock
from sweeps.store.paths import SweepPaths
from sweeps.workers.trial import train_trial
from trainers import EpochRecord, Execution
from trainers.function import Step


def single_run_spec(
    activation: str,
    network: str,
    data: str,
    seed: int,
    epochs: int | None,
    settings: Sequence[str],
    name: str | None,
) -> SweepSpec:
    """Describe one run as a sweep.

    Raises:
        SpecError: names the setting that is wrong.
    """
    raw = {
        "name": name or f"train-{activation}-{network}-{data}-s{seed}",
        "question": "One run by hand",
        "activation": {"name": activation},
        "network": {"name": network},
        "data": {"name": data},
        "recipe": {} if epochs is None else {"epochs": epochs},
        "search": {"algorithm": "grid"},
        "seeds": [seed],
    }
    return parse_spec(with_settings(raw, settings))


def train_single_run(
    prepared: Prepared, root: Path, device: str, resume: bool, console: Console
) -> None:
    """Train the run with a progress bar and write its records.

    Raises:
        StoreError: without `resume` the name is taken; with it there is no such run.
    """
    spec = prepared.spec
    paths = SweepPaths(root.resolve(), spec.name)
    _open(paths, spec, resume)
    execution = Execution(
        device=device, data_root=prepared.data_root, checkpoint_folder=paths.checkpoints
    )
    with driver_lock(paths):
        writer = paths.store.writer("driver")
        if not resume:
            writer.write(SWEEPS, [sweep_row(spec, trials=1)])
        config_id = configure(spec, {}).config_id
        trial = OpenTrial(0, {}, config_id, given_at=time.time(), study_trial=None)
        try:
            trial.outcome = _with_progress_bar(spec, paths, execution, console)
        except KeyboardInterrupt:
            close_runs(analysis.load(paths.folder), paths.store)
            console.print("interrupted; the same command with --resume goes on", soft_wrap=True)
            raise
        writer.write(TRIALS, [trial_row(spec.name, trial)])
        paths.store.compact()


def _open(paths: SweepPaths, spec: SweepSpec, resume: bool) -> None:
    if not resume:
        if paths.folder.exists():
            raise StoreError(
                f"{paths.folder} exists: go on with --resume, or keep both with --name ANOTHER"
            )
        paths.create()
        write_atomically(paths.spec, spec.to_json().encode())
        keep_modules(spec, paths)
        return
    if not paths.spec.exists():
        raise StoreError(f"nothing to resume: there is no run in {paths.folder}")
    if paths.spec.read_text("utf-8") != spec.to_json():
        raise StoreError(
            f"{paths.folder} holds a run with other settings: give the same as then, or --name"
        )


def _with_progress_bar(
    spec: SweepSpec, paths: SweepPaths, execution: Execution, console: Console
) -> TrialOutcome:
    columns = (
        TextColumn(f"{spec.activation.name} on {spec.benchmark}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("epochs", total=spec.recipe.epochs, shown="")

        def on_epoch(_: int, record: EpochRecord | Step, warning: str) -> None:
            assert isinstance(record, EpochRecord)
            shown = (
                f"train {record.train_error_percent:.2f} %, val {record.val_error_percent:.2f} %"
            )
            progress.update(task, completed=record.epoch, shown=shown)
            if warning:
                console.print(f"unstable: {warning}", style="yellow", soft_wrap=True)
            if not console.is_terminal:
                console.print(f"epoch {record.epoch}/{spec.recipe.epochs}: {shown}")

        started = time.perf_counter()
        outcome = train_trial(spec, paths, 0, {}, execution, on_epoch)
    seconds = time.perf_counter() - started
    value = "" if outcome.objective is None else f", {outcome.objective:.2f} % validation error"
    reason = f": {outcome.error}" if outcome.error else ""
    console.print(f"{outcome.status}{reason}{value}, {seconds:.1f} s", soft_wrap=True)
    return outcome
