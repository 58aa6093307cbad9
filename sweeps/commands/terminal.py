"""Shared by all commands: the consoles that they print to, their options and exit codes."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console

from sweeps.commands.guardian import INTERRUPTED as INTERRUPTED
from sweeps.store.paths import ROOT as ROOT

LOG_WIDTH = 200
"""Columns of a log, so that no table in it is cut off."""


def _console(stream: TextIO, stderr: bool = False) -> Console:
    if isinstance(stream, io.TextIOWrapper):
        # A terminal of ASCII shows ? for λ, rather than an error.
        stream.reconfigure(errors="replace")
    known = stream.isatty() or "COLUMNS" in os.environ
    return Console(stderr=stderr, highlight=False, width=None if known else LOG_WIDTH)


console = _console(sys.stdout)
errors = _console(sys.stderr, stderr=True)


def _specifications(incomplete: str) -> list[str]:
    """List the bundled specifications and the YAML files here that begin so, for a shell."""
    bundled = (
        Path(file.name).stem for file in resources.files("sweeps").joinpath("specs").iterdir()
    )
    typed = incomplete[: incomplete.rfind("/") + 1]
    files = (file.name for file in Path(typed or ".").glob("*.y*ml"))
    names = {name for name in bundled if not name.endswith(".schema")}
    names |= {f"{typed}{name}" for name in files}
    return sorted(name for name in names if name.startswith(incomplete))


def _sweeps(context: typer.Context, incomplete: str) -> list[str]:
    """List the sweeps under the root that begin so, for a shell."""
    root = Path(context.params.get("root") or os.environ.get("SWEEPS_ROOT") or ROOT)
    folders = root.iterdir() if root.is_dir() else ()
    names = (folder.name for folder in folders if (folder / "spec.json").exists())
    return sorted(name for name in names if name.startswith(incomplete))


Root = Annotated[
    Path,
    typer.Option("--root", envvar="SWEEPS_ROOT", help="Folder of all results."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, as recipe.epochs=5."),
]
SpecName = Annotated[
    str,
    typer.Argument(
        help="Name of a bundled specification, or a YAML file.", autocompletion=_specifications
    ),
]
SweepName = Annotated[
    str, typer.Argument(help="Name of a sweep under the root.", autocompletion=_sweeps)
]
Address = Annotated[str | None, typer.Option(help="Ray cluster to run on; default: here.")]
HTTP = ("http://", "https://")
"""Beginnings of the address of a cluster's Jobs API; the cluster's own address is HOST:PORT."""
JobsAddress = Annotated[
    str | None,
    typer.Option("--address", help="Jobs API of the sweep's cluster; default: the sweep is here."),
]
AcceptChanges = Annotated[
    bool,
    typer.Option("--accept-changes", help="Go on although spec, code or data changed."),
]


def one_of(names: Iterable[str]) -> str:
    """List names as a sentence, for a help text."""
    *others, last = names
    return f"{', '.join(others)} or {last}." if others else f"{last}."


def say(console: Console, text: str, style: str = "") -> None:
    """Print a sentence, wrapped in a terminal and on one line in a log."""
    console.print(text, style=style, soft_wrap=not console.is_terminal, markup=False)
