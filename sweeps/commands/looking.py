"""The commands that change nothing: they show sweeps, plans, the study and the surroundings."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.live import Live

from sweeps.commands.afar import run_there
from sweeps.commands.terminal import (
    ROOT,
    Address,
    JobsAddress,
    Root,
    Settings,
    SpecName,
    SweepName,
    console,
    errors,
    say,
)

if TYPE_CHECKING:
    from sweeps.view.progress import SweepView

app = typer.Typer()
WATCH_SECONDS = 1.0
LOG_SECONDS = 60.0
"""Seconds from one view of a watched sweep to the next where the output is no terminal."""


@app.command()
def status(
    name: SweepName,
    root: Root = ROOT,
    watch: Annotated[bool, typer.Option("--watch", help="Redraw until the sweep ends.")] = False,
    address: JobsAddress = None,
) -> None:
    """Show the progress, the best trial and the running trials of a sweep."""
    if address is not None:
        run_there(address, root, name, ["status", name, *["--watch"] * watch])
    from sweeps.view.overview import current_view

    if watch:
        with suppress(KeyboardInterrupt):
            _watch(root, name)
    else:
        console.print(_drawn(current_view(root, name)))


@app.command(name="list")
def list_sweeps(root: Root = ROOT) -> None:
    """List the sweeps under the root."""
    from sweeps.view.listing import sweeps_table

    console.print(sweeps_table(root, console.width))


@app.command()
def compare(
    first: SweepName,
    second: SweepName,
    root: Root = ROOT,
) -> None:
    """Show two sweeps side by side: settings, best trials, and trials that both have."""
    from sweeps.driver.changes import spec_changes
    from sweeps.driver.preparation import stored_spec
    from sweeps.store.paths import SweepPaths
    from sweeps.view.beside import NOT_COMPARED, beside_view

    before, now = (stored_spec(SweepPaths(root, name)) for name in (first, second))
    changes = [
        line for line in spec_changes(before, now) if line.partition(":")[0] not in NOT_COMPARED
    ]
    console.print(beside_view(root, first, second, changes, console.width))


@app.command()
def best(
    name: SweepName,
    root: Root = ROOT,
    export: Annotated[
        Path | None, typer.Option(help="File for the network: its weights, and how it is built.")
    ] = None,
) -> None:
    """Print the best trial of a sweep; with --export also write its network to a file."""
    import analysis
    from sweeps.driver.winner import best_run, best_trial, export_best
    from sweeps.view.drawing import best_text

    console.print(best_text(best_trial(analysis.load(root, [name]), name)))
    if export is None:
        return
    found = best_run(root, name)
    export_best(found, export)
    of = "" if found.seeds == 1 else f", the best of {found.seeds} seeds"
    say(console, f"{export}: seed {found.run.seed}, {found.error_percent:.2f} % error{of}")
    say(console, "Load it in Python with")
    say(
        console, f"  from trainers.trained import load_network; net = load_network({str(export)!r})"
    )


@app.command()
def plan(
    spec: SpecName,
    settings: Settings = None,
    root: Root = ROOT,
    again: Annotated[
        bool,
        typer.Option("--calibrate", help="Measure again how fast this machine is, up to a minute."),
    ] = False,
) -> None:
    """Print the trials, hours and disk of a sweep, and the gaps it can show, before it starts."""
    with errors.status("reading the specification"):  # torch alone takes seconds to import
        from sweeps.driver.preparation import prepare
        from sweeps.planning.plan import describe_plan
        from sweeps.spec.reading import load_spec

        prepared = prepare(load_spec(spec, settings or ()), elsewhere=True)
    for note in prepared.notes:
        say(errors, f"note: {note}", "yellow")
    # Only the function itself knows what a step of it takes.
    own = prepared.spec.trainer is not None
    timing = "timing some steps of each kind of trial, a minute at most"
    doing = "reading what earlier runs took" if own else timing
    if not errors.is_terminal:
        say(errors, doing)
    with errors.status(doing):
        shown = describe_plan(prepared, root, console.width, again)
    console.print(shown)


@app.command()
def dashboard(
    name: SweepName,
    root: Root = ROOT,
    port: Annotated[int | None, typer.Option(help="Port; default: 8080, or a free one.")] = None,
) -> None:
    """Serve Optuna's dashboard of a sweep's study, read-only, to this machine alone."""
    from sweeps.commands.dashboard import serve

    def announce(address: str) -> None:
        say(console, f"{address}  (Ctrl-C ends it)")

    with suppress(KeyboardInterrupt):
        serve(root, name, port, announce)


@app.command()
def schema() -> None:
    """Print the JSON schema of specifications, for editors."""
    sys.stdout.write((resources.files("sweeps") / "specs" / "sweep.schema.json").read_text("utf-8"))


@app.command()
def doctor(root: Root = ROOT, address: Address = None) -> None:
    """Check versions, devices, data, storage, study and cluster; say how to mend what is wrong."""
    from sweeps.commands.doctor import checks

    sound = True
    styles = {"ok": "green", "note": "yellow", "mend": "red"}
    for check in checks(root, address):
        sound &= check.mark != "mend"
        mark = "MEND" if check.mark == "mend" else check.mark
        say(console, f"{mark:<4} {check.subject}: {check.finding}", styles[check.mark])
    raise typer.Exit(0 if sound else 1)


def _watch(root: Path, name: str) -> None:
    """Redraw the view of a sweep until its driver ends."""
    from sweeps.view.overview import current_view

    view = current_view(root, name)
    if not console.is_terminal:
        while view.stopped_at is None:
            console.print(_drawn(view), "")
            time.sleep(LOG_SECONDS)
            view = current_view(root, name)
    else:
        with Live(_drawn(view), console=console, auto_refresh=False, transient=True) as live:
            while view.stopped_at is None:
                time.sleep(WATCH_SECONDS)
                view = current_view(root, name)
                live.update(_drawn(view, console.height), refresh=True)
    console.print(_drawn(view))


def _drawn(view: SweepView, height: int | None = None) -> RenderableType:
    from sweeps.view.drawing import render

    return render(view, time.time(), console.width, height)
