"""One driver a sweep: a lock that the operating system takes from a process that crashed."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from analysis.store.errors import StoreError
from sweeps.store.paths import SweepPaths


@contextmanager
def driver_lock(paths: SweepPaths) -> Iterator[None]:
    """Be the sweep's only driver while the body runs.

    Raises:
        StoreError: another driver lives.
    """
    with paths.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"the sweep {paths.sweep!r} is being run by another process; watch it with"
                f" {paths.hint('status')}, end it with {paths.hint('stop')}"
            ) from None
        file.truncate(0)
        file.write(f"{socket.gethostname()} {os.getpid()}\n")
        file.flush()
        yield


def driver_alive(paths: SweepPaths) -> bool:
    """Return whether some process drives the sweep now."""
    try:
        with paths.lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def driver_process(paths: SweepPaths) -> tuple[str, int]:
    """Return the host and the process id of the sweep's driver.

    Raises:
        StoreError: no process drives the sweep.
    """
    if not driver_alive(paths):
        raise StoreError(f"nobody runs the sweep {paths.sweep!r} now")
    host, pid = paths.lock.read_text("utf-8").split()
    return host, int(pid)
