"""Files of data sets: the data root, checksums, download. Imports no torch."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from trainers.data.record import Source
from trainers.data.registry import DATASETS

HOME = Path("~/.cache/polyneuron-sweeps")
"""The data root where neither a setting nor SWEEPS_DATA names one."""

_PROBE_SECONDS = 5.0
"""A mirror that answers later than this counts as one that does not."""

_STALLED_SECONDS = 30.0
"""A download in which nothing arrives for so long is given up."""


class DataUnavailableError(ValueError):
    """A data set is not under the data root and cannot be downloaded, or its files are damaged."""


def data_root(setting: Path | None = None) -> Path:
    """Return the absolute data root: the setting, else SWEEPS_DATA, else `HOME`."""
    chosen = setting or os.environ.get("SWEEPS_DATA") or HOME
    return Path(chosen).expanduser().resolve()


def available(name: str, root: Path | None = None) -> bool:
    """Return True if data set `name` is on this machine.

    Looks for its files alone, not into them, and not at the network.
    """
    source = DATASETS[name].source
    return source is None or all(path.is_file() for path in source.paths(data_root(root)))


def provide(name: str, root: Path) -> None:
    """Make sure that the files of `name` are under `root`, downloading them if need be.

    Raises:
        DataUnavailableError: not there and no download, or a file's MD5 is not the published one.
    """
    source = DATASETS[name].source
    if source is None:
        return
    if not available(name, root):
        _download(name, source, root)
    # MD5 is what the publishers give. It guards against damage; against forgery it is no use.
    for path, md5 in source.paths(root).items():
        found = _md5(path)
        if found != md5:
            raise DataUnavailableError(
                f"{path} is damaged: its MD5 is {found}, not {md5}; delete it and start again"
            )


def writable(folder: Path) -> bool:
    """Return True if files may be made in `folder`.

    A folder without any write bit counts as read-only even for root, whom the system would let.
    """
    return bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK)


def _packed(source: Source, root: Path) -> bool:
    """Return True if every archive is there as it was published: nothing need be fetched."""
    archives = {root / path: md5 for path, md5 in source.archives.items()}
    return all(path.is_file() and _md5(path) == md5 for path, md5 in archives.items())


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _download(name: str, source: Source, root: Path) -> None:
    with _unavailable(name, root):
        if not _packed(source, root):
            _probe(source.mirror)
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root / ".download.lock"), _socket_timeout(_STALLED_SECONDS):
            # Another process may have downloaded it while this one waited for the lock.
            if not available(name, root):
                source.download(root)


@contextlib.contextmanager
def _unavailable(name: str, root: Path) -> Iterator[None]:
    # torchvision reports a failed download as RuntimeError, the system as OSError.
    try:
        yield
    except (OSError, RuntimeError) as error:
        lines = str(getattr(error, "reason", error)).strip().splitlines()
        cause = lines[0] if lines else type(error).__name__
        shipped = [other for other, dataset in DATASETS.items() if dataset.source is None]
        raise DataUnavailableError(
            f"{name} is not under {root} and cannot be downloaded ({cause}); set SWEEPS_DATA to"
            f" the folder that holds it, or use the data set {' or '.join(shipped)}"
        ) from None


def _probe(address: str) -> None:
    """Raise OSError within `_PROBE_SECONDS` unless something answers at `address`.

    torchvision waits for ever on a network that swallows packets. Looking up a host's name there
    takes half a minute and knows no timeout, hence the thread.
    """
    outcome: list[OSError | None] = []

    def ask() -> None:
        import urllib.error
        import urllib.request

        request = urllib.request.Request(address, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=_PROBE_SECONDS).close()
        except urllib.error.HTTPError:
            outcome.append(None)  # an answer too
        except OSError as error:
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PROBE_SECONDS)
    if not outcome:
        raise TimeoutError(f"no answer from {address} within {_PROBE_SECONDS:g} s")
    if outcome[0] is not None:
        raise outcome[0]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process in at a time; a process that dies loses the lock."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
