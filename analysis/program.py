"""The command line `sweeps`, as its user called it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

NAME = "sweeps"


def program() -> str:
    """Return the words that call the command line, so that a printed command runs as it stands.

    `sweeps` where a shell finds this program by its name; else its path, as `.venv/bin/sweeps`
    after `make sweep`; `python -m sweeps` where it was called so.
    """
    called = Path(sys.argv[0])
    if called.parts[-2:] == (NAME, "__main__.py"):
        return f"{_typed(Path(sys.executable))} -m {NAME}"
    # In a notebook or a program of somebody's own, the first argument is another name.
    return _typed(called) if called.name == NAME and called.exists() else NAME


def _typed(file: Path) -> str:
    """Return what to type for a program: its name where PATH has it, else its shortest path."""
    # Not resolved: a virtual environment's python is a link to another environment's.
    path = str(file.absolute())
    if shutil.which(file.name) == path:
        return file.name
    beside = os.path.relpath(path)
    return shlex.quote(path if beside.startswith(os.pardir) else beside)
