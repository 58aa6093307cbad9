"""A message at the end of a sweep, by a command of the user's own."""

from __future__ import annotations

import os
import subprocess
from typing import Annotated

import typer

Notify = Annotated[
    str | None,
    typer.Option(
        "--notify",
        envvar="SWEEPS_NOTIFY",
        metavar="COMMAND",
        help="Shell command at the end; it finds SWEEPS_NAME, SWEEPS_STATE and SWEEPS_MESSAGE.",
    ),
]
PATIENCE_SECONDS = 60.0
"""After so long the command is no longer waited for: the sweep itself has ended."""


def notify(command: str, name: str, state: str, message: str) -> str:
    """Run the user's command.

    Args:
        command: for the shell, as the user wrote it.
        name: of the sweep.
        state: complete, stopped (by its budget), interrupted or failed.
        message: a sentence that says how the sweep stands.

    Returns:
        What went wrong; empty if nothing did.
    """
    told = {"SWEEPS_NAME": name, "SWEEPS_STATE": state, "SWEEPS_MESSAGE": message}
    try:
        # A shell: the command comes from the user's own terminal or environment.
        done = subprocess.run(
            command,
            shell=True,
            env={**os.environ, **told},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"--notify: the command took longer than {PATIENCE_SECONDS:.0f} seconds"
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return f"--notify: {lines[-1] if lines else f'exit code {done.returncode}'}"
    return ""
