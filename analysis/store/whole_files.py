"""Files that a crash leaves either whole or absent, on any file system."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis.store.folders import Folder, open_folder


@contextmanager
def whole_file(file: Folder) -> Iterator[Any]:
    """Open a file for writing that appears under its name once it is whole and durable.

    An exception in the body, or a crash, leaves the earlier file of this name, if there was one.

    Yields:
        The binary file to write to.
    """
    if not file.local:
        content = pa.BufferOutputStream()
        yield content
        with file.filesystem.open_output_stream(file.path) as object_:
            object_.write(content.getvalue())  # an object appears when its upload is complete
        return
    path = Path(file.path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            # Before the rename: else a power cut may leave the new name with an empty file.
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)  # the rename itself is durable once its folder is


def write_atomically(path: Path, content: bytes) -> None:
    """Write a local file that is there whole, also after a crash of the machine, or not at all."""
    with whole_file(open_folder(path)) as file:
        file.write(content)


def make_folder(folder: Folder) -> None:
    """Make a folder and those above it, durably; it may exist already."""
    if not folder.local:
        folder.make()
        return
    path = Path(folder.path)
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)  # another writer may be doing the same
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a local folder durable: files added, renamed and removed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
