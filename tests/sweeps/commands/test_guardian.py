"""The guardian: whatever becomes of a sweep's process, the user is told how to go on."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweeps.commands.guardian import may_be_there

WORK = """
import os, signal, sys, time
from pathlib import Path
from sweeps.commands.guardian import guarded, tell_guardian

def work():
    specification = Path(sys.argv[1])
    tell_guardian(specification, "`sweeps resume x`")
    print(os.getpid(), flush=True)
    {body}

sys.exit(guarded(work))
"""
WAIT = """heard = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: heard.append(number))
    print("ready", flush=True)
    began = time.monotonic()
    while not heard and time.monotonic() - began < 30:
        time.sleep(0.01)
    time.sleep(0.3)
    print(heard, flush=True)
    return 5"""
ENDS = {
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", "was killed (SIGKILL)"),
    "crashed": ("os.kill(os.getpid(), signal.SIGSEGV)", "was killed (SIGSEGV)"),
    "ended by a library": ("os._exit(1)", "was ended by Ray"),
}


def command(specification: Path, body: str) -> list[str]:
    return [sys.executable, "-c", WORK.format(body=body), str(specification)]


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("end", ENDS)
def test_the_last_line_is_how_to_go_on(end: str, begun: bool, tmp_path: Path) -> None:
    body, told = ENDS[end]
    specification = tmp_path / "spec.json"
    if begun:
        specification.touch()
    done = subprocess.run(command(specification, body), capture_output=True, text=True, timeout=60)
    how = (
        "What is done is safe; go on with `sweeps resume x`" if begun else "Nothing was trained yet"
    )
    assert done.stderr == f"error: the process of this sweep {told}. {how}\n"
    assert done.returncode == 1


def test_an_end_of_its_own_is_passed_on(tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path, "return 7"), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (7, "")
    bug = subprocess.run(command(tmp_path, "1 / 0"), capture_output=True, text=True, timeout=60)
    assert (bug.returncode, bug.stderr.splitlines()[-1]) == (
        1,
        "ZeroDivisionError: division by zero",
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_guardian_alone_arrives_once(number: int, tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(command(tmp_path, WAIT), stdout=pipe, text=True) as guardian:
        assert guardian.stdout is not None
        child = int(guardian.stdout.readline())
        assert child != guardian.pid
        assert guardian.stdout.readline() == "ready\n"
        guardian.send_signal(number)
        assert guardian.stdout.readline() == f"[{int(number)}]\n"
        assert guardian.wait(timeout=60) == 5


def test_a_key_in_the_terminal_arrives_once(tmp_path: Path) -> None:
    guardian, terminal = pty.fork()
    if guardian == 0:
        os.execv(sys.executable, command(tmp_path, WAIT))
    shown = _read(terminal, until=b"ready")
    os.write(terminal, b"\x03")
    shown += _read(terminal, until=b"]")
    assert f"[{int(signal.SIGINT)}]".encode() in shown
    assert os.waitstatus_to_exitcode(os.waitpid(guardian, 0)[1]) == 5


def test_the_cursor_is_back_after_a_kill(tmp_path: Path) -> None:
    body = """print("\\x1b[?25l", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)"""
    guardian, terminal = pty.fork()
    if guardian == 0:
        os.execv(sys.executable, command(tmp_path, body))
    shown = _read(terminal, until=b"Nothing was trained yet")
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    os.waitpid(guardian, 0)


def test_a_killed_guardian_takes_the_sweep_with_it(tmp_path: Path) -> None:
    """Else a resume would find it still running."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command(tmp_path, WAIT), stdout=pipe, text=True) as guardian:
        assert guardian.stdout is not None
        child = int(guardian.stdout.readline())
        guardian.kill()
        deadline = time.monotonic() + 30
        while _alive(child):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _read(terminal: int, until: bytes) -> bytes:
    shown = b""
    while until not in shown:
        try:
            shown += os.read(terminal, 1000)
        except OSError:  # Linux says so where all processes of a terminal have ended
            break
    return shown


def test_a_sweep_in_a_folder_that_was_closed_can_be_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not may_be_there(tmp_path / "spec.json")

    def refused(file: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "exists", refused)  # root may look into every folder
    assert may_be_there(tmp_path / "spec.json")
