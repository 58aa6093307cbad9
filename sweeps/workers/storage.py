"""Storage that takes no more files: a reason to end a sweep, and no fault of a trial."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EDQUOT, EIO, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS, ESTALE
from pathlib import Path

OF_THE_DISK = (ENOSPC, EDQUOT, EROFS, EIO, ESTALE)
"""Errors that any file of the disk would meet."""
OF_A_FILE = (EACCES, EPERM, ENOENT, ENOTDIR)
"""Errors that count for files of the sweep alone."""


class StorageError(RuntimeError):
    """A worker cannot write what it found; its trial can go on once that is mended."""


def storage_error(error: OSError, folder: Path) -> StorageError:
    """Say that a worker cannot write in a sweep's folder, and why."""
    reason = error.strerror or f"{error}" or type(error).__name__
    return StorageError(f"the worker on {socket.gethostname()} cannot write in {folder}: {reason}")


@contextmanager
def writing_in(folder: Path) -> Iterator[None]:
    """Blame an error of a file on the storage, and not on the training in which it rises.

    Raises:
        StorageError: the body raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, folder) from error


def blames_storage(error: BaseException, folder: Path) -> bool:
    """Return True if an error of a training is one of the sweep's storage."""
    if not isinstance(error, OSError):
        return False
    if error.errno in OF_THE_DISK:
        return True
    named = isinstance(error.filename, str) and Path(error.filename).is_relative_to(folder)
    return named and error.errno in OF_A_FILE
