"""The token of a Ray cluster: whoever has it runs code there as its user."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import os
import secrets
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sweeps.workers.environment import ClusterError

PATH_VARIABLE = "RAY_AUTH_TOKEN_PATH"
NAMED = {"RAY_AUTH_TOKEN", PATH_VARIABLE}
"""Variables by which a user names a token."""
FILE = "auth_token"
PREFIX = "sweeps-ray-"
LONGEST_PLACE = 30
"""Most characters of the folder in which ours is made. A Unix socket's path has at most 107 bytes;
Ray's session and socket need about 65 of them, and our folder's name 20."""


def check_token() -> str:
    """Check that nobody else can read the user's token; return where it is.

    Raises:
        ClusterError: others can read it, or tokens are turned off.
    """
    _check_mode()
    if "RAY_AUTH_TOKEN" in os.environ:
        return "in RAY_AUTH_TOKEN"
    path = Path(os.environ.get(PATH_VARIABLE, Path.home() / ".ray" / FILE))
    try:
        status = path.stat()
    except FileNotFoundError:
        return f"none in {path}: a local sweep makes its own, --address needs that of its cluster"
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise ClusterError(
            f"others can read the token {path} (mode {mode:04o}), and so run code as you:"
            f" chmod 600 {shlex.quote(str(path))}"
        )
    if status.st_uid != os.geteuid():
        raise ClusterError(f"the token {path} belongs to another user: name a copy of your own")
    return f"in {path}, which only you can read"


@contextlib.contextmanager
def local_token() -> Iterator[None]:
    """Give a cluster that this process starts a token of its own, unless the user names one.

    Raises:
        ClusterError: others can read the token that the user names, or tokens are turned off.
    """
    if NAMED & os.environ.keys():
        check_token()
        yield
        return
    _check_mode()
    os.environ[PATH_VARIABLE] = str(private_folder() / FILE)
    try:
        yield
    finally:
        del os.environ[PATH_VARIABLE]


@functools.cache
def private_folder() -> Path:
    """Make the folder of this process's cluster: its token, sockets and logs, for this user alone.

    The folder goes when the process ends; those of processes that were killed go now.
    """
    places = (tempfile.gettempdir(), "/tmp")
    place = Path(next((one for one in places if len(one) <= LONGEST_PLACE), "/tmp"))
    _remove_abandoned(place)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))  # mode 0700
    unlocked = folder / "new"
    descriptor = os.open(unlocked, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    # Locked before it has its name, and as long as this process lives: a folder whose token is
    # not locked is abandoned.
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, secrets.token_hex(32).encode())
    unlocked.rename(folder / FILE)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _check_mode() -> None:
    if os.environ.get("RAY_AUTH_MODE", "token") != "token":
        raise ClusterError("RAY_AUTH_MODE turns tokens off: anybody could run code; unset it")


def _remove_abandoned(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        # Another user's, or one that another process removes.
        with contextlib.suppress(OSError), (folder / FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder.stat().st_uid == os.geteuid():
                shutil.rmtree(folder, ignore_errors=True)
