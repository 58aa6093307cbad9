"""Where the data sets' files lie: data root, checksums, download. Imports no torch."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HOME = Path("~/.cache/polyneuron-sweeps")
"""The data root where neither a setting nor SWEEPS_DATA names one."""

_PROBE_SECONDS = 5.0
_STALLED_SECONDS = 30.0


class DataUnavailableError(ValueError):
    """A data set is neither under the data root nor to be downloaded, or its files are damaged."""


@dataclass(frozen=True)
class Source:
    """The files of one data set under the data root, as torchvision lays them out."""

    folder: str
    md5: Mapping[str, str]
    mirror: str
    """An address that answers where a download can work."""

    def paths(self, root: Path) -> dict[Path, str]:
        """Return every file's path and MD5."""
        return {root / self.folder / name: md5 for name, md5 in self.md5.items()}


SOURCES: Mapping[str, Source] = {
    "mnist": Source(
        "MNIST/raw",
        {
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    "cifar10": Source(
        "cifar-10-batches-py",
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
            "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        },
        "https://www.cs.toronto.edu/~kriz/",
    ),
}
"""`digits` is not here: it ships inside scikit-learn."""


def data_root(setting: Path | None = None) -> Path:
    """Return the absolute data root: the setting, else SWEEPS_DATA, else `HOME`."""
    chosen = setting or os.environ.get("SWEEPS_DATA") or HOME
    return Path(chosen).expanduser().resolve()


def available(name: str, root: Path | None = None) -> bool:
    """Whether data set `name` is on this machine. Looks at no file's content, nor the network."""
    if name == "digits":
        return True
    return all(path.is_file() for path in SOURCES[name].paths(data_root(root)))


def provide(name: str, root: Path) -> None:
    """Make sure that the files of `name` are under `root`, downloading them if need be.

    Raises:
        DataUnavailableError: not there and no download, or a file's MD5 is not the published one.
    """
    if not available(name, root):
        _download(name, root)
    for path, md5 in SOURCES[name].paths(root).items():
        found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        if found != md5:
            raise DataUnavailableError(
                f"{path} is damaged: its MD5 is {found}, not {md5}; delete it and start again"
            )


def writable(folder: Path) -> bool:
    """Whether files may be made in `folder`.

    A folder without any write bit counts as read-only even for root, whom the system would let.
    """
    return bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK)


def _download(name: str, root: Path) -> None:
    unavailable = (
        f"{name} is not under {root} and cannot be downloaded ({{}}); "
        "set SWEEPS_DATA to the folder that holds it, or use the data set digits"
    )
    with _translated(unavailable):
        _probe(SOURCES[name].mirror)
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root / ".download.lock"), _socket_timeout(_STALLED_SECONDS):
            if not available(name, root):
                _download_with_torchvision(name, root)


@contextlib.contextmanager
def _translated(message: str) -> Iterator[None]:
    # torchvision reports a failed download as RuntimeError, the system as OSError.
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = str(getattr(error, "reason", error)).strip().splitlines()
        raise DataUnavailableError(
            message.format(cause[0] if cause else type(error).__name__)
        ) from None


def _probe(address: str) -> None:
    """Raise OSError within `_PROBE_SECONDS` unless something answers at `address`.

    torchvision itself waits for ever on a network that swallows packets, and so, for half a
    minute, does the look-up of a name, which knows no timeout: hence the thread.
    """
    outcome: list[OSError | None] = []

    def ask() -> None:
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


def _download_with_torchvision(name: str, root: Path) -> None:
    from torchvision import datasets  # seconds to import, and rarely needed

    dataset = {"mnist": datasets.MNIST, "cifar10": datasets.CIFAR10}[name]
    dataset(str(root), download=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; a process that dies loses the lock."""
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
