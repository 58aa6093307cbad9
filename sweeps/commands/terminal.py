"""What all commands share: the consoles they print to, their options and exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console

LOG_WIDTH = 200
"""Columns where there is no terminal to ask: a table in a log is not to be cut off."""


def _console(stream: TextIO, stderr: bool = False) -> Console:
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
    typer.Option("--set", metavar="KEY=VALUE", help="Override one setting, as recipe.epochs=5."),
]
SpecName = Annotated[str, typer.Argument(help="A bundled specification, or a YAML file.")]
SweepName = Annotated[str, typer.Argument(help="Name of a sweep under the root.")]
Address = Annotated[str | None, typer.Option(help="Ray cluster to run on; default: here.")]
AcceptChanges = Annotated[
    bool, typer.Option("--accept-changes", help="Go on although code or data changed.")
]
ROOT = Path("results")
INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells have it."""


def say(console: Console, text: str, style: str = "") -> None:
    """Print a sentence: broken between words in a terminal, on one line in a log."""
    console.print(text, style=style, soft_wrap=not console.is_terminal, markup=False)
