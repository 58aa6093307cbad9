"""Folders and files of a local, shared or remote file system."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from analysis.store.errors import StoreError
from analysis.store.places import ELSEWHERE, TABLES_ADDRESS

_LONGEST_ADDRESS = 4096

_OBJECT_STORES = ("s3", "gcs", "abfs")
"""File systems whose folders are only beginnings of names, and need no making."""


@dataclass(frozen=True)
class Folder:
    """A folder, or a file, of a file system."""

    filesystem: fs.FileSystem
    path: str

    @property
    def local(self) -> bool:
        """True on a file system that the operating system has mounted."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def child(self, *names: str) -> Folder:
        """Return a folder or file below this one."""
        return Folder(self.filesystem, "/".join((self.path, *names)))

    def entries(self) -> list[fs.FileInfo]:
        """Return the files and folders directly in this one by name; none if it is missing."""
        selector = fs.FileSelector(self.path, allow_not_found=True)
        listing: list[fs.FileInfo] = self.filesystem.get_file_info(selector)
        return sorted(listing, key=lambda info: info.base_name)

    def names(self) -> list[str]:
        """Return the names of the files and folders directly in this one, in no order."""
        if not self.local:
            return [info.base_name for info in self.entries()]
        return [path.name for path in Path(self.path).iterdir()] if self.exists() else []

    def matching(self, pattern: re.Pattern[str]) -> list[fs.FileInfo]:
        """Return the entries whose whole names match, sorted by name."""
        if not self.local:
            return [info for info in self.entries() if pattern.fullmatch(info.base_name)]
        # A writer looks for its own among 10,000 files: only of those are size and time asked.
        found = sorted(name for name in self.names() if pattern.fullmatch(name))
        paths = [self.child(name).path for name in found]
        matching: list[fs.FileInfo] = self.filesystem.get_file_info(paths)
        return matching

    def make(self) -> None:
        """Make the folder and those above it, where the file system has folders."""
        if self.filesystem.type_name not in _OBJECT_STORES:
            self.filesystem.create_dir(self.path, recursive=True)

    def exists(self) -> bool:
        """Return whether a file or folder has this path."""
        return bool(self.filesystem.get_file_info(self.path).type != fs.FileType.NotFound)


def open_folder(path: str | Path) -> Folder:
    """Return the folder at a local path or an address such as `s3://bucket/results`.

    Raises:
        StoreError: neither pyarrow nor fsspec knows the address's scheme.
    """
    address = str(path)
    if "://" not in address:
        return Folder(fs.LocalFileSystem(), str(Path(address).absolute()))
    if address.startswith("s3://"):
        # A small part is then written by one request in place of three.
        address += f"{'&' if '?' in address else '?'}allow_delayed_open=true"
    try:
        filesystem, place = fs.FileSystem.from_uri(address)
    except pa.ArrowInvalid:
        return _open_through_fsspec(address)
    except OSError as cause:
        raise StoreError(f"cannot open {path}: {str(cause).splitlines()[0]}") from cause
    return Folder(filesystem, place.rstrip("/"))


def with_tables(sweep: Folder, known: Iterable[str | None]) -> Folder:
    """Return the folder of a sweep's tables: the sweep's own, or the one named in its pointer file.

    Args:
        sweep: the folder of the sweep.
        known: addresses that the user named. A pointer to a place below none of them is not
            followed: whoever wrote it would get requests signed with the reader's keys.

    Raises:
        ElsewhereError: the pointer leads to another place.
        StoreError: neither pyarrow nor fsspec knows the address's scheme.
    """
    pointer = sweep.child(ELSEWHERE)
    if not pointer.exists():
        return sweep
    with sweep.filesystem.open_input_stream(pointer.path) as file:
        address = file.read(_LONGEST_ADDRESS).decode(errors="replace").strip()
    if not any(_lies_below(address, one) for one in known if one):
        raise ElsewhereError(sweep.path, address)
    return open_folder(address)


class ElsewhereError(StoreError):
    """A sweep whose tables lie at an address that its reader did not name."""

    def __init__(self, sweep: str, address: str) -> None:
        place, _, options = address.partition("?")
        scheme, _, path = place.rpartition("://")
        # Options and the part before @ may hold a key or a password, and messages end in logs.
        shown = f"{scheme}://{path.rpartition('@')[2]}" if scheme else place
        above = shown.rpartition("/")[0]
        kept = f", with the options in {sweep}/{ELSEWHERE}" if options or "@" in path else ""
        super().__init__(
            f"the tables of {sweep} lie at {shown!r}, which is not asked without your word: if you"
            f" trust it, set {TABLES_ADDRESS}={above!r}{kept}, or load with tables_at={above!r}"
        )


def _lies_below(address: str, known: str) -> bool:
    place, _, options = address.partition("?")
    above, _, known_options = known.partition("?")
    inside = place.startswith(f"{above.rstrip('/')}/") and ".." not in place.split("/")
    return inside and options == known_options  # options name the host that is asked


def _open_through_fsspec(address: str) -> Folder:
    try:
        import fsspec  # type: ignore[import-untyped]

        filesystem, path = fsspec.url_to_fs(address)
    except (ImportError, ValueError) as cause:
        raise StoreError(f"cannot read {address}: {cause}") from cause
    return Folder(fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path.rstrip("/"))
