"""A folder of a local, shared or remote file system."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from analysis.store.errors import StoreError

ELSEWHERE = "tables_at.txt"
"""A file in a sweep's folder with the address of the folder that has its tables instead."""

_OBJECT_STORES = ("s3", "gcs", "abfs")  # where folders are but the beginnings of names


@dataclass(frozen=True)
class Folder:
    """A folder, or a file, of a file system."""

    filesystem: fs.FileSystem
    path: str

    @property
    def local(self) -> bool:
        """Whether it lies on a file system that the operating system has mounted."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def child(self, *names: str) -> Folder:
        """Return the folder or file below this one."""
        return Folder(self.filesystem, "/".join((self.path, *names)))

    def entries(self) -> list[fs.FileInfo]:
        """Return what lies in the folder, sorted by name; nothing if it is missing."""
        listing = self.filesystem.get_file_info(fs.FileSelector(self.path, allow_not_found=True))
        return sorted(listing, key=lambda info: info.base_name)

    def matching(self, pattern: re.Pattern[str]) -> list[fs.FileInfo]:
        """Return those entries whose whole names match."""
        if not self.local:
            return [info for info in self.entries() if pattern.fullmatch(info.base_name)]
        # among 10,000 files a writer looks for its own: the others need no look at their size
        names = (path.name for path in Path(self.path).iterdir()) if self.exists() else ()
        found = sorted(name for name in names if pattern.fullmatch(name))
        return self.filesystem.get_file_info([self.child(name).path for name in found])

    def make(self) -> None:
        """Make the folder, where its file system needs that."""
        if self.filesystem.type_name not in _OBJECT_STORES:
            self.filesystem.create_dir(self.path, recursive=True)

    def exists(self) -> bool:
        """Return whether a file or folder of this path is there."""
        return self.filesystem.get_file_info(self.path).type != fs.FileType.NotFound


def open_folder(path: str | Path) -> Folder:
    """Return the folder at a local path or an address such as `s3://bucket/results`.

    Raises:
        StoreError: neither pyarrow nor fsspec knows the address's scheme.
    """
    address = str(path)
    if "://" not in address:
        return Folder(fs.LocalFileSystem(), str(Path(address).absolute()))
    if address.startswith("s3://"):
        # one request writes a small part whole; else it takes three
        address += f"{'&' if '?' in address else '?'}allow_delayed_open=true"
    try:
        filesystem, place = fs.FileSystem.from_uri(address)
    except pa.ArrowInvalid:
        return _open_through_fsspec(address)
    except OSError as cause:
        raise StoreError(f"cannot open {path}: {str(cause).splitlines()[0]}") from cause
    return Folder(filesystem, place.rstrip("/"))


def address_below(address: str, name: str) -> str:
    """Return the address of what is called so in the folder at an address."""
    place, mark, options = address.partition("?")
    return f"{place.rstrip('/')}/{name}{mark}{options}"


def with_tables(sweep: Folder) -> Folder:
    """Return the folder that has a sweep's tables: its own, or the one that it points to.

    Raises:
        StoreError: neither pyarrow nor fsspec knows the address's scheme.
    """
    pointer = sweep.child(ELSEWHERE)
    if not pointer.exists():
        return sweep
    with sweep.filesystem.open_input_stream(pointer.path) as file:
        return open_folder(file.read().decode().strip())


def _open_through_fsspec(address: str) -> Folder:
    try:
        import fsspec  # type: ignore[import-untyped]

        filesystem, path = fsspec.url_to_fs(address)
    except (ImportError, ValueError) as cause:
        raise StoreError(f"cannot read {address}: {cause}") from cause
    return Folder(fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path.rstrip("/"))
