"""The commands that look and change nothing: what is running, what a sweep will cost."""

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

from sweeps.commands.terminal import (
    ROOT,
    Address,
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
"""How often a watched sweep is shown where the output is no terminal."""


@app.command()
def status(
    name: SweepName,
    root: Root = ROOT,
    watch: Annotated[bool, typer.Option("--watch", help="Keep it up to date.")] = False,
) -> None:
    """Show what a sweep is doing; --watch keeps it up to date."""
    from sweeps.view.overview import current_view

    if watch:
        with suppress(KeyboardInterrupt):
            _watch(root, name)
    else:
        console.print(_drawn(current_view(root, name)))


@app.command(name="list")
def list_sweeps(root: Root = ROOT) -> None:
    """List the sweeps under the root."""
    from sweeps.view.overview import sweeps_table

    console.print(sweeps_table(root))


@app.command()
def plan(
    spec: SpecName,
    settings: Settings = None,
    root: Root = ROOT,
) -> None:
    """Say what a sweep will cost and can find out, before anything starts."""
    from sweeps.driver.preparation import prepare
    from sweeps.planning.plan import plan as plan_sweep
    from sweeps.spec.reading import load_spec

    prepared = prepare(load_spec(spec, settings or ()))
    for note in prepared.notes:
        say(errors, f"note: {note}", "yellow")
    with errors.status("training each kind of trial for a moment, two minutes at most"):
        shown = plan_sweep(prepared, root)
    console.print(shown)


@app.command()
def dashboard(
    name: SweepName,
    root: Root = ROOT,
    port: Annotated[int | None, typer.Option(help="Port; default: 8080 if it is free.")] = None,
) -> None:
    """Show a sweep's study in Optuna's dashboard, on this machine alone."""
    from sweeps.commands.dashboard import serve

    def announce(address: str) -> None:
        say(console, f"{address}  (Ctrl-C ends it)")

    with suppress(KeyboardInterrupt):
        serve(root, name, port, announce)


@app.command()
def schema() -> None:
    """Print the JSON schema of a specification, for editors."""
    sys.stdout.write((resources.files("sweeps") / "specs" / "sweep.schema.json").read_text("utf-8"))


@app.command()
def doctor(root: Root = ROOT, address: Address = None) -> None:
    """Check versions, devices, data, storage, study, cluster; each line says how to mend."""
    from sweeps.commands.doctor import checks

    sound = True
    styles = {"ok": "green", "note": "yellow", "mend": "red"}
    for check in checks(root, address):
        sound &= check.mark != "mend"
        mark = "MEND" if check.mark == "mend" else check.mark
        say(console, f"{mark:<4} {check.subject}: {check.finding}", styles[check.mark])
    raise typer.Exit(0 if sound else 1)


def _watch(root: Path, name: str) -> None:
    """Redraw the view of a sweep until its driver ends, or Ctrl-C ends the watching."""
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
