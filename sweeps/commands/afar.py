"""Commands for a sweep that is driven on a cluster: `submit`, `logs`, and others by --address."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from analysis.program import program
from sweeps.commands.terminal import (
    INTERRUPTED,
    ROOT,
    Root,
    Settings,
    SpecName,
    console,
    errors,
    say,
)
from sweeps.workers.environment import set_ray_variables

if TYPE_CHECKING:
    from sweeps.spec.sections import SweepSpec
    from sweeps.workers.jobs import Job

app = typer.Typer()

ThereAddress = Annotated[
    str, typer.Option("--address", help="Jobs API of the cluster, as http://head:8265.")
]
JobsName = Annotated[str, typer.Argument(help="Name of a sweep on the cluster.")]


@app.command()
def submit(
    spec: SpecName,
    address: ThereAddress,
    root: Root = ROOT,
    settings: Settings = None,
    name: Annotated[str | None, typer.Option(help="Name of the sweep, if not its own.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Print the sweep's lines until it ends.")
    ] = False,
) -> None:
    """Run a sweep on a cluster from a machine that is no part of it, and may be shut down."""
    from sweeps.spec.reading import load_spec

    set_ray_variables()
    from sweeps.workers.jobs import connect, start

    wanted = load_spec(spec, settings or (), name)
    with tempfile.TemporaryDirectory() as folder:
        client = connect(address)
        _pack(wanted, spec, Path(folder))
        command = ["run", f"{wanted.name}.yaml", "--address", "auto", *_root(root)]
        job = start(client, wanted.name, command, Path(folder))
    if follow:
        _end_like(job)
    hint = f"{program()} logs {wanted.name} --address {address}"
    console.print(f"submitted {wanted.name} as {job.id}; follow it with {hint}", soft_wrap=True)


@app.command()
def logs(name: JobsName, address: ThereAddress) -> None:
    """Print the lines of a submitted sweep until it ends; Ctrl-C ends the printing alone."""
    set_ray_variables()
    from sweeps.workers.jobs import connect, latest

    _end_like(latest(connect(address), name))


def run_there(address: str, root: Path, name: str, command: list[str]) -> NoReturn:
    """Run a command on a sweep's cluster, print its lines, and exit with its code.

    Args:
        address: of the cluster's Jobs API.
        root: of the sweeps on the cluster; a relative one is left to the cluster.
        name: of the sweep.
        command: the words after `sweeps`.
    """
    set_ray_variables()
    from sweeps.workers.jobs import connect, start

    with tempfile.TemporaryDirectory() as folder:
        job = start(connect(address), name, [*command, *_root(root)], Path(folder))
    _end_like(job)


def _end_like(job: Job) -> NoReturn:
    try:
        for line in job.lines():
            print(line, flush=True)
    except KeyboardInterrupt:
        say(errors, "the job goes on", "yellow")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(job.code())


def _root(root: Path) -> list[str]:
    return ["--root", str(root)] if root.is_absolute() else []


def _pack(spec: SweepSpec, source: str, folder: Path) -> None:
    """Put a specification into a folder, with the modules that it names beside it."""
    from sweeps.spec.own_modules import OwnModules, is_own
    from sweeps.spec.reading import bundled_names

    (folder / f"{spec.name}.yaml").write_text(spec.to_json())
    beside = Path() if source in bundled_names() else Path(source).parent
    for section in (spec.network, spec.data, spec.trainer):
        if section is not None and is_own(section.name):
            OwnModules(section.name, beside).copy_to(folder)
