"""Going on with a sweep: from its store and its study alone, whatever became of its driver."""

from __future__ import annotations

import json
import os
import signal
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

import analysis
from analysis.store.contract import RowWriter
from analysis.store.errors import StoreError, unknown_name
from analysis.store.schema import EVENTS, SWEEPS
from analysis.store.whole_files import write_atomically
from sweeps.driver.changes import note_code, refuse_changes
from sweeps.driver.driver import close_runs, drive, prepare
from sweeps.search.study import SweepStudy, Work, reopen_study
from sweeps.spec.reading import SpecError, load_spec, parse_spec, with_settings
from sweeps.spec.search_space import Params, restored
from sweeps.spec.sections import SweepSpec
from sweeps.store.locks import driver_lock, driver_process
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_version
from sweeps.view.overview import rows, sweep_view


@dataclass(frozen=True)
class Request:
    """What is asked of a sweep beyond going on with it."""

    more_trials: int = 0
    seeds: int | None = None
    """Seeds of a trial, in all."""
    retry_errors: bool = False
    spec_source: str | None = None
    """A specification to go on with, in place of the sweep's own."""
    settings: tuple[str, ...] = ()
    """`key=value` settings on top of it."""
    accept_changes: bool = False


def continue_sweep(
    root: Path, name: str, request: Request, console: Console, address: str | None
) -> bool:
    """Go on with a sweep until every trial has an end.

    Returns:
        Whether every trial ran to an end of its own; False after an interrupt.

    Raises:
        StoreError: no such sweep, another driver runs it, or code or data changed.
        SpecError: the sweep cannot be extended as asked.
    """
    paths = SweepPaths(root.resolve(), name)
    wanted = _wanted_spec(paths, request)
    with driver_lock(paths):
        pass  # refuse at once, not after Ray has started, what another process runs
    if not request.accept_changes:
        hashes = analysis.load(paths.folder).runs["data_sha256"].dropna()
        trained_on = (str(one) for one in hashes if one)
        refuse_changes(paths, _sweep_row(paths), trained_on, wanted)
    spec = extended(wanted, request)
    prepared = prepare(spec, address)

    def start(writer: RowWriter) -> tuple[SweepStudy, Work]:
        close_runs(paths, writer)
        study = reopen_study(spec, paths, len(analysis.load(paths.folder).trials))
        queued = study.queue_again() if request.retry_errors else 0
        planned = int(_sweep_row(paths)["trials_planned"]) + request.more_trials + queued
        write_atomically(paths.spec, spec.to_json().encode())
        note_code(paths)
        writer.write(SWEEPS, [{**_sweep_row(paths), **_changed(spec, planned)}])
        if request.seeds is not None:
            writer.write(EVENTS, [_extension(name, len(spec.seeds))])
        work = Work(planned - len(study.ended()), _not_in_store(spec, paths, study))
        view.restart(planned, len(spec.seeds), _ended_counts(paths, work))
        return study, work

    view = sweep_view(root, name)
    return drive(prepared, paths, view, console, address, start, again=True)


def stored_spec(paths: SweepPaths) -> SweepSpec:
    """Read the specification that a sweep was started with.

    Raises:
        StoreError: there is no such sweep.
    """
    try:
        return parse_spec(json.loads(paths.spec.read_text("utf-8")))
    except FileNotFoundError:
        known = [folder.parent.name for folder in paths.root.glob("*/spec.json")]
        raise StoreError(f"{unknown_name('sweep', paths.sweep, known)} (in {paths.root})") from None


def _wanted_spec(paths: SweepPaths, request: Request) -> SweepSpec:
    stored = stored_spec(paths)
    if request.spec_source is not None:
        wanted = load_spec(request.spec_source, request.settings, paths.sweep)
        # Where the data was not to be had, a sweep keeps what it fell back on.
        fell_back = stored.data.name == stored.data_fallback == wanted.data_fallback
        return wanted.model_copy(update={"data": stored.data}) if fell_back else wanted
    return parse_spec(with_settings(stored.model_dump(mode="json"), request.settings))


def extended(spec: SweepSpec, request: Request) -> SweepSpec:
    """Raise the number of trials or seeds of a specification.

    Raises:
        SpecError: a grid has no more trials, or seeds would be taken away.
    """
    changed: dict[str, Any] = {}
    if request.more_trials:
        if spec.search.trials is None:
            raise SpecError("--trials: a grid search has run its whole grid; start another sweep")
        trials = spec.search.trials + request.more_trials
        changed["search"] = spec.search.model_copy(update={"trials": trials})
    if request.seeds is not None:
        if request.seeds <= len(spec.seeds):
            raise SpecError(
                f"--seeds: the sweep has {len(spec.seeds)} seeds a trial; ask for more than that"
            )
        unused = (seed for seed in range(10**6) if seed not in spec.seeds)
        new = [next(unused) for _ in range(request.seeds - len(spec.seeds))]
        changed["seeds"] = (*spec.seeds, *new)
    return spec.model_copy(update=changed)


def more_trials(text: str) -> int:
    """Read `+50`.

    Raises:
        SpecError: it is no such number.
    """
    if not text.removeprefix("+").isdecimal() or int(text) < 1:
        raise SpecError(f"--trials: expected how many more, as +50; got {text!r}")
    return int(text)


def stop_driver(root: Path, name: str) -> None:
    """Ask the process that runs a sweep to end it gently.

    Raises:
        StoreError: nobody runs it, or another machine does.
    """
    paths = SweepPaths(root.resolve(), name)
    stored_spec(paths)
    host, pid = driver_process(paths)
    if host != socket.gethostname():
        raise StoreError(f"{name} is run on {host}: stop it there, with `sweeps stop {name}`")
    os.kill(pid, signal.SIGTERM)


def _ended_counts(paths: SweepPaths, work: Work) -> dict[str, int]:
    trials = analysis.load(paths.folder).trials
    ended = trials[~trials["status"].isin(["running", "interrupted"])]
    kept = ended[~ended["trial"].isin([number for number, _ in work.again])]
    return {str(status): int(n) for status, n in kept["status"].value_counts().items() if n}


def _sweep_row(paths: SweepPaths) -> dict[str, Any]:
    found = rows(analysis.load(paths.folder).sweeps)
    if not found:
        raise StoreError(f"the table `sweeps` of {paths.folder} cannot be read")
    return found[0]


def _extension(name: str, seeds: int) -> dict[str, object]:
    """Keep that seeds were added after a look: verdicts then take a stricter level."""
    at = datetime.now(UTC)
    detail = f"{seeds} seeds a trial"
    return {"sweep": name, "run_id": "", "at": at, "kind": "extend", "detail": detail}


def _changed(spec: SweepSpec, planned: int) -> dict[str, object]:
    return {
        "trials_planned": planned,
        "seeds": len(spec.seeds),
        "spec_json": spec.to_json(),
        "spec_sha256": spec.sha256,
        "code_version": code_version(),
    }


def _not_in_store(
    spec: SweepSpec, paths: SweepPaths, study: SweepStudy
) -> tuple[tuple[int, Params], ...]:
    """List the trials whose end the study knows and the store lacks, wholly or some seeds of."""
    known = {row["trial"]: row for row in rows(analysis.load(paths.folder).trials)}
    again = []
    for one in study.ended():
        row = known.get(one.number, {"status": "running"})
        cut_off = row["status"] in ("running", "interrupted")
        if cut_off or (row["status"] == "completed" and row["seeds_done"] < len(spec.seeds)):
            again.append((one.number, restored(spec, one.params)))
    return tuple(again)
