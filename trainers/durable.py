"""Files that appear under their name whole or not at all, after a crash or a power cut too."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

UNFINISHED = ".part"
"""Suffix of a file that is being written; one is left behind where the writer is killed."""


@contextlib.contextmanager
def durable_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write, and put it in the place of `path` when it is whole and on disk.

    Yields:
        The binary file to write to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}{UNFINISHED}")
    # In the mode that the umask leaves, as all files of a sweep: a colleague who can read its
    # tables can go on from its checkpoints.
    with unfinished.open("xb") as file:
        try:
            yield file
            file.flush()
            # Before the rename: else a power cut may leave the new name on an empty file.
            os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # Without it a power cut may lose the rename, though not the old file.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
