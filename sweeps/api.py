"""Sweeps from Python, as in a notebook: as on the command line, but results are returned."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import analysis
from analysis import Results
from analysis.store.errors import PlainError
from sweeps.spec.overrides import with_settings
from sweeps.spec.reading import load_spec, parse_spec
from sweeps.spec.sections import SweepSpec
from sweeps.view.in_place import in_place, python_console, silence_hints
from trainers.data.sources import DataUnavailableError


class NoDataError(PlainError, DataUnavailableError):
    """The data is neither on this machine nor to be downloaded."""


WATCH_SECONDS = 2.0
"""The time from one look at a watched sweep to the next."""


def run(
    spec: str | Path | Mapping[str, Any] | SweepSpec,
    *,
    settings: Sequence[str] = (),
    name: str | None = None,
    root: str | Path | None = None,
    address: str | None = None,
    tensorboard: bool = False,
    show: bool = True,
) -> Results:
    """Run a sweep to its end and return its results.

    An interrupt stops the sweep after the epochs at hand: the results so far are returned, and
    `resume` goes on.

    Args:
        spec: the name of a bundled specification, a YAML file, or the keys and values of one.
        settings: `key=value` overrides, as `--set` takes them.
        name: of the sweep; None: the specification's own.
        root: folder of all results; None: SWEEPS_ROOT, else ./results.
        address: a Ray cluster to run on; None: this machine.
        tensorboard: True: each run also writes its epochs as event files.
        show: True: print the view of the running sweep.

    Raises:
        SpecError: the specification cannot be run.
        StoreError: the name is taken, or the root cannot be written to.
        DataUnavailableError: the data is not on this machine and cannot be downloaded.
        ClusterError: no cluster there, or it lacks what a trial needs.
        CutOffError: the cluster cannot go on with it; `resume` does, on this one or another.
    """
    silence_hints()
    from sweeps.driver.driver import run_sweep
    from sweeps.driver.preparation import prepare

    wanted = _read(spec, settings, name)
    try:
        prepared = prepare(wanted, address)
    except DataUnavailableError as error:
        raise NoDataError(str(error)) from None
    console = python_console(show)
    for note in prepared.notes:
        console.print(f"note: {note}", style="yellow", markup=False)
    folder = _root(root)
    run_sweep(prepared, folder, console, address, tensorboard)
    return load(prepared.spec.name, root=folder)


def resume(
    name: str,
    *,
    root: str | Path | None = None,
    address: str | None = None,
    show: bool = True,
) -> Results:
    """Go on with a sweep that was stopped, or whose driver died, and return its results.

    Raises:
        StoreError: no such sweep, another driver runs it, or code or data changed.
        ClusterError: no cluster there, or it lacks what a trial needs.
        CutOffError: the cluster cannot go on with it; `resume` does, on this one or another.
    """
    silence_hints()
    from sweeps.driver.continuation import Request, continue_sweep

    continue_sweep(_root(root), name, Request(), python_console(show), address)
    return load(name, root=root)


def watch(name: str, *, root: str | Path | None = None) -> Results:
    """Show a sweep that another process runs until it ends, and return its results.

    An interrupt ends the watching, and not the sweep.

    Raises:
        StoreError: no such sweep.
    """
    from sweeps.view.drawing import render
    from sweeps.view.overview import current_view

    folder, console = _root(root), python_console()
    view = current_view(folder, name)
    shown = in_place(console, lambda: render(view, time.time(), console.width, console.height))
    if shown is not None:
        shown.start()
    try:
        while view.stopped_at is None:
            time.sleep(WATCH_SECONDS)
            view = current_view(folder, name)
            if shown is not None:
                shown.refresh()
    except KeyboardInterrupt:
        pass
    finally:
        if shown is not None:
            shown.stop()
    return load(name, root=root)


def load(name: str, *, root: str | Path | None = None) -> Results:
    """Return the results of a sweep, also while it runs.

    Raises:
        StoreError: no such sweep.
    """
    return analysis.load(_root(root), [name])


def _read(
    spec: str | Path | Mapping[str, Any] | SweepSpec, settings: Sequence[str], name: str | None
) -> SweepSpec:
    if isinstance(spec, str | Path):
        return load_spec(str(spec), settings, name)
    raw = spec.model_dump(mode="json") if isinstance(spec, SweepSpec) else spec
    changed = with_settings(raw, settings)
    return parse_spec(changed if name is None else {**changed, "name": name})


def _root(root: str | Path | None) -> Path:
    return Path(os.environ.get("SWEEPS_ROOT", "results") if root is None else root)
