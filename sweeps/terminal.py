"""What all commands share: the consoles they print to, their options and exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

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
