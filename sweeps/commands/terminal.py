"""Shared by all commands: the consoles that they print to, their options and exit codes."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console

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

Root = Annotated[
    Path,
    typer.Option("--root", envvar="SWEEPS_ROOT", help="Folder of all results."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, as recipe.epochs=5."),
]
SpecName = Annotated[str, typer.Argument(help="Name of a bundled specification, or a YAML file.")]
SweepName = Annotated[str, typer.Argument(help="Name of a sweep under the root.")]
Address = Annotated[str | None, typer.Option(help="Ray cluster to run on; default: here.")]
AcceptChanges = Annotated[
    bool,
    typer.Option("--accept-changes", help="Go on although spec, code or data changed."),
]
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def one_of(names: Iterable[str]) -> str:
    """List names as a sentence, for a help text."""
    *others, last = names
    return f"{', '.join(others)} or {last}." if others else f"{last}."


def say(console: Console, text: str, style: str = "") -> None:
    """Print a sentence, wrapped in a terminal and on one line in a log."""
    console.print(text, style=style, soft_wrap=not console.is_terminal, markup=False)
