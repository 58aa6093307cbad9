"""The code blocks of a page, pasted in order into a shell, as its reader would do it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
DEAD_PROXY = "http://127.0.0.1:9"


def pasted_lines(page: str, folder: Path) -> str:
    """Return what is pasted into a shell; Python's blocks go to an interactive Python.

    A block of Python sees what those before it on the page defined: they are pasted again.
    """
    lines, session, blocks = [], "", BLOCK.findall(page)
    for number, (language, text) in enumerate(blocks):
        if language == "python":
            session += text + "\n"
            file = folder / f"pasted-{number}.py"
            file.write_text(session)
            text = f"python -i -q < {file}\n"
            if number + 1 < len(blocks) and blocks[number + 1][0] == "python":
                continue
        lines.append(text)
    return "".join(lines)


def paste(text: str, folder: Path, environment: dict[str, str]) -> str:
    """Paste lines into an interactive bash and return all that it shows; a failure is an error."""
    mark = "FAILED HERE: "  # said in two words, as the shell shows the line that says it, too
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-i"],
        input=f"PS1=; trap 'echo FAILED \"HERE: $BASH_COMMAND\"' ERR\n{text}",
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Else the shell would want to be the terminal's foreground.
        start_new_session=True,
    )
    shown = done.stdout
    wrong = [mark, "Traceback", "command not found", "syntax error", "error: "]
    found = [line for line in shown.splitlines() if any(word in line for word in wrong)]
    assert not found, f"{found}\n\n{shown}"
    return shown


@contextmanager
def newcomer(folder: Path) -> Iterator[dict[str, str]]:
    """Make a folder the checkout of somebody new, installed, and yield its environment.

    Neither data nor a network is there, of the tests one file, and what Ray starts is ended.
    """
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "analysis" / "test_printed.py", folder / "tests")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.prefix) / "bin")
    (folder / ".venv" / "installed").touch()
    home = folder / "home"
    (home / ".cache").mkdir(parents=True)
    kernels = Path.home() / ".cache" / "polyneuron-sweeps"
    kernels.mkdir(parents=True, exist_ok=True)
    (home / ".cache" / kernels.name).symlink_to(kernels)
    kept = {name: value for name, value in os.environ.items() if not _ours(name)}
    # Sockets of Ray's lie below its folder, and their paths are short.
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as ray:
        try:
            yield {
                **kept,
                "HOME": str(home),
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "RAY_TMPDIR": ray,
                "SWEEPS_DATA": str(folder / "no-data"),
                "http_proxy": DEAD_PROXY,
                "https_proxy": DEAD_PROXY,
            }
        finally:
            _end_processes_below(ray)


def _ours(variable: str) -> bool:
    return variable.startswith(("PYTEST_", "RAY_", "SWEEPS_", "VIRTUAL_ENV"))


def _end_processes_below(folder: str) -> None:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if folder.encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
