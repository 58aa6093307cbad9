"""The command `sweeps`."""

from __future__ import annotations

import sys


def main() -> None:
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
    sys.exit(run_command())


if __name__ == "__main__":
    main()
