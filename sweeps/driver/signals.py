"""Signals: how a driver hears that it is to stop, and how another process tells it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from analysis.store.errors import StoreError
from sweeps.driver.preparation import stored_spec
from sweeps.store.locks import driver_process
from sweeps.store.paths import SweepPaths

ONE_WISH_SECONDS = 0.5
"""Signals within so many seconds are one wish: a shell, a terminal and a batch system may each send
theirs to a process and to its group."""


@dataclass
class Interrupt:
    """A request to stop, once there is one."""

    reason: str = ""
    """The signal's name; empty before."""
    heard_at: float = 0.0

    def hear(self, number: int, _frame: object) -> None:
        """Note a signal; whoever sends a second one later does not want to wait.

        Raises:
            KeyboardInterrupt: the second time; not for the end of a terminal, which nobody repeats.
        """
        now = time.monotonic()
        if not self.reason:
            self.reason, self.heard_at = signal.Signals(number).name, now
        elif now - self.heard_at > ONE_WISH_SECONDS and number != signal.SIGHUP:
            raise KeyboardInterrupt


@contextmanager
def gentle_termination() -> Iterator[Interrupt]:
    """Take Ctrl-C, a request to terminate and the end of a terminal as a wish to stop.

    Yields:
        The interrupt, whose reason is set once a signal came.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt  # Python hands signals to the main thread alone
        return
    # SIGHUP comes when an ssh session closes.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt.hear) for number in numbers}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_driver(root: Path, name: str) -> None:
    """Ask the process that runs a sweep to end it gently.

    Raises:
        StoreError: no process runs it, or one of another machine does.
    """
    paths = SweepPaths(root.resolve(), name)
    stored_spec(paths)
    host, pid = driver_process(paths)
    if host != socket.gethostname():
        raise StoreError(f"{name} is run on {host}: stop it there, with {paths.hint('stop')}")
    os.kill(pid, signal.SIGTERM)
