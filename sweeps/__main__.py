"""The command `sweeps`."""

from __future__ import annotations

import sys

from sweeps.commands.guardian import SWEEPING, guarded


def main() -> None:
    """Run the command line; what needs Ray, in a process of its own."""
    sys.exit(guarded(_run) if SWEEPING & set(sys.argv[1:2]) else _run())


def _run() -> int:
    """Run the command line, or name the package that is missing and how to install it."""
    try:
        from sweeps.commands.cli import run_command
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("sweeps", "trainers", "analysis"):
            raise
        sys.exit(
            f"sweeps needs {error.name}, which is not installed:"
            " pip install 'polyneuron-sweeps[sweep]'"
        )
    return run_command()


if __name__ == "__main__":
    main()
