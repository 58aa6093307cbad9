"""The commands that look and change nothing: what is running, what a sweep will cost."""

from __future__ import annotations

import time

import typer

from sweeps.terminal import ROOT, Root, Settings, SpecName, SweepName, console, errors

app = typer.Typer()


@app.command()
def status(name: SweepName, root: Root = ROOT) -> None:
    """Show what a sweep is doing."""
    from sweeps.overview import sweep_view
    from sweeps.progress import render

    console.print(render(sweep_view(root, name), time.time()))


@app.command(name="list")
def list_sweeps(root: Root = ROOT) -> None:
    """List the sweeps under the root."""
    from sweeps.overview import sweeps_table

    console.print(sweeps_table(root))


@app.command()
def plan(spec: SpecName, settings: Settings = None) -> None:
    """Say what a sweep will cost, before anything starts."""
    from sweeps.budget import plan_table
    from sweeps.driver import prepare
    from sweeps.spec_file import load_spec

    prepared = prepare(load_spec(spec, settings or ()))
    with errors.status("training a few hundred images with each activation"):
        table = plan_table(prepared)
    console.print(table)


@app.command()
def doctor(root: Root = ROOT) -> None:
    """Check versions, devices, data and storage; each line says how to mend."""
    from sweeps.doctor import checks

    sound = True
    for check in checks(root):
        sound &= check.ok
        mark = "ok  " if check.ok else "MEND"
        style = "green" if check.ok else "red"
        console.print(f"{mark} {check.subject}: {check.finding}", style=style, soft_wrap=True)
    raise typer.Exit(0 if sound else 1)
