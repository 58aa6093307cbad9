"""The guardian: the process that a user starts, which outlives the one that runs a sweep.

Ray ends the process that called it, without a word, when its own daemons die. So a command that
needs Ray runs in a child, made before anything large is imported, and its parent has the last word.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SWEEPING = frozenset({"run", "resume", "extend", "retry", "settle"})
"""The commands that start Ray."""
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
SHOW_CURSOR = "\x1b[?25h"
PR_SET_PDEATHSIG = 1
MOST_BYTES = 65_536
"""As much as a pipe holds."""
LOOK_SECONDS = 0.5
END_SECONDS = 10.0
"""How long the child may take to end once its work is done: Ray may wait for what is gone."""

_to_guardian: int | None = None
"""The pipe to the guardian, in the process that it guards."""


def guarded(work: Callable[[], int]) -> int:
    """Do work in a child of this process, and return its exit code.

    Where the child is ended from outside, the last line says so and how to go on; the code is 1.
    On systems other than Linux the work is done in this process.
    """
    if sys.platform != "linux":
        return work()
    reading, writing = os.pipe()
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, {*STOPPING, signal.SIGCHLD})
    guardian = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _end_with(guardian)
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        return _work(work, writing)
    os.close(writing)
    os.set_blocking(reading, False)  # some descendant of the child may hold the other end
    status, told = _wait(child, reading)
    if "last_line" in told or "code" not in told:
        _restore_terminal()
    if "last_line" in told:
        print(told["last_line"], file=sys.stderr)
    return int(told["code"]) if "code" in told else _last_word(status, told)


def tell_guardian(specification: Path, go_on: str) -> None:
    """Leave word of the sweep at hand, for the case that this process is ended.

    Args:
        specification: the file that is there once the sweep can be resumed.
        go_on: the command that goes on with it.
    """
    _tell({"specification": str(specification), "go_on": go_on})


def leave_last_line(text: str) -> bool:
    """Have the guardian print a line once this process has ended; False where there is none.

    What Ray prints as it ends would else come after it.
    """
    _tell({"last_line": text})
    return _to_guardian is not None


def may_be_there(file: Path) -> bool:
    """Return True if a file exists, or if its folder does not let this process look."""
    try:
        return file.exists()
    except PermissionError:
        return True


def _tell(entries: dict[str, object]) -> None:
    if _to_guardian is not None:
        os.write(_to_guardian, f"{json.dumps(entries)}\n".encode())


def _work(work: Callable[[], int], writing: int) -> int:
    global _to_guardian
    _to_guardian = writing
    code = 1
    try:
        code = work()
    except KeyboardInterrupt:  # before the sweep began
        code = INTERRUPTED
    finally:
        _tell({"code": code})
    return code


def _end_with(guardian: int) -> None:
    """Have the system end this process when its guardian is killed."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guardian:
        os._exit(1)  # it was killed before


def _wait(child: int, reading: int) -> tuple[int, dict[str, str]]:
    """Wait for the child's end; pass on the signals that were sent to this process alone.

    Returns:
        The child's status, and what it told.
    """
    told: dict[str, str] = {}
    deadline = math.inf
    while True:
        heard = signal.sigtimedwait({*STOPPING, signal.SIGCHLD}, LOOK_SECONDS)
        # The terminal's own signals reach the child too.
        if heard is not None and heard.si_signo != signal.SIGCHLD and heard.si_code <= 0:
            os.kill(child, heard.si_signo)
        ended, status = os.waitpid(child, os.WNOHANG)
        with suppress(BlockingIOError):
            for line in os.read(reading, MOST_BYTES).decode().splitlines():
                told |= {key: str(value) for key, value in json.loads(line).items()}
        if ended:
            return status, told
        if "code" in told:
            deadline = min(deadline, time.monotonic() + END_SECONDS)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)


def _restore_terminal() -> None:
    if sys.stdout.isatty():
        sys.stdout.write(f"\n{SHOW_CURSOR}")
        sys.stdout.flush()


def _last_word(status: int, told: dict[str, str]) -> int:
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    begun = "specification" in told and may_be_there(Path(told["specification"]))
    go_on = f"What is done is safe; go on with {told.get('go_on')}"
    how = go_on if begun else "Nothing was trained yet"
    if number in STOPPING:
        print(f"interrupted; {how[0].lower()}{how[1:]}", file=sys.stderr)
        return INTERRUPTED
    reason = f"was killed ({signal.Signals(number).name})" if number else "was ended by Ray"
    print(f"error: the process of this sweep {reason}. {how}", file=sys.stderr)
    return 1
