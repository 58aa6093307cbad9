"""A command that is printed as a next step runs as printed."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.program import program

SCRIPT = """#!{python}
from analysis.program import program
print(program(), "again", flush=True)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "my venv" / "bin" / "sweeps"
    file.parent.mkdir(parents=True)
    file.write_text(SCRIPT.format(python=sys.executable))
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("path", ["", "my venv/bin"], ids=["not on PATH", "on PATH"])
@pytest.mark.parametrize("folder", [".", "elsewhere"])
def test_what_is_printed_runs_where_it_was_printed(
    script: Path, tmp_path: Path, path: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    if path:
        monkeypatch.setenv("PATH", f"{tmp_path / path}:/usr/bin:/bin")
    else:
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))

    def shell(command: str) -> str:
        return subprocess.check_output(command, shell=True, cwd=tmp_path / folder, text=True)

    first = shell("sweeps" if path else shlex.quote(str(script)))
    assert shell(first) == first
    expected = {("", "."): "'my venv/bin/sweeps'", ("", "elsewhere"): shlex.quote(str(script))}
    assert first == f"{expected.get((path, folder), 'sweeps')} again\n"


def test_a_module_is_called_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/sweeps/__main__.py", "list"])
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert program() == f"{Path(sys.executable).name} -m sweeps"


@pytest.mark.parametrize("called", ["/usr/lib/ipykernel_launcher.py", "", "sweeps"])
def test_elsewhere_it_is_the_command(called: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert program() == "sweeps"
