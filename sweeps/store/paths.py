"""Where a sweep lies on disk, and how its results are written: whole files or nothing."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from analysis.store.errors import StoreError, StoreWarning
from analysis.store.folders import ELSEWHERE, Folder, address_below, open_folder, with_tables
from analysis.store.parts import Damaged, read_parts, tables_of
from analysis.store.schema import PARTS_FOLDER, RUNS, TABLES, TABLES_FOLDER, Table
from analysis.store.writing import joined, latest, row_list, whole_file, write_part, write_rows

Row = Mapping[str, Any]

TABLES_ADDRESS = "SWEEPS_TABLES"
"""Environment variable: under which address new sweeps put their tables, as s3://bucket/results;
default: in their own folders."""


@dataclass(frozen=True)
class SweepPaths:
    """Every path of one sweep."""

    root: Path
    sweep: str

    @property
    def folder(self) -> Path:
        """All that belongs to the sweep."""
        return self.root / self.sweep

    @property
    def tables(self) -> Path:
        """The results: what `analysis.load` reads, unless they lie elsewhere."""
        return self.folder / TABLES_FOLDER

    @property
    def store(self) -> Folder:
        """The folder that has the tables: the sweep's, or the one at `SWEEPS_TABLES`."""
        return with_tables(open_folder(self.folder))

    @property
    def study(self) -> Path:
        """Optuna's record of the sweep, an SQLite file."""
        return self.folder / "study.db"

    @property
    def spec(self) -> Path:
        """The resolved specification."""
        return self.folder / "spec.json"

    @property
    def checkpoints(self) -> Path:
        """A folder a run."""
        return self.folder / "checkpoints"

    @property
    def ray(self) -> Path:
        """Ray Tune's own files; scratch."""
        return self.folder / "ray"

    @property
    def code(self) -> Path:
        """Hashes of the training code's files."""
        return self.folder / "code.json"

    @property
    def spent(self) -> Path:
        """What the sweep has cost so far, where it has a budget."""
        return self.folder / "spent.json"

    @property
    def log(self) -> Path:
        """What Ray and the driver have to say."""
        return self.folder / "log.txt"

    @property
    def progress(self) -> Path:
        """What the driver shows now, for other processes."""
        return self.folder / "progress.json"

    @property
    def tensorboard(self) -> Path:
        """Event files of every run, where the sweep was asked for them."""
        return self.folder / "tensorboard"

    @property
    def lock(self) -> Path:
        """Held by the one driver of the sweep while it lives."""
        return self.folder / "driver.lock"

    def check_free(self) -> None:
        """Check that the sweep's name is free.

        Raises:
            StoreError: if it is taken.
        """
        if self.folder.exists():
            raise StoreError(
                f"the name {self.sweep!r} is taken: {self.folder} exists. See it with"
                f" `sweeps results {self.sweep}`, or run again with --name ANOTHER"
            )

    def create(self, again: bool = False) -> None:
        """Take the sweep's name, or, `again`, make sure of a name that is ours.

        Raises:
            StoreError: if it is taken, or nothing can be written there.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=again)
        except FileExistsError:
            self.check_free()
            raise
        except OSError as error:
            raise StoreError(
                f"cannot write to the results folder {self.root}: {error.strerror or error}"
            ) from None
        address = os.environ.get(TABLES_ADDRESS)
        if address and not again:
            self._put_tables_at(address_below(address, self.sweep))

    def _put_tables_at(self, address: str) -> None:
        try:
            if open_folder(address).child(TABLES_FOLDER).exists():
                raise StoreError(
                    f"{TABLES_ADDRESS}: the name {self.sweep!r} is taken: {address} has results"
                )
            write_atomically(self.folder / ELSEWHERE, f"{address}\n".encode())
        except (OSError, StoreError):
            self.folder.rmdir()
            raise


@contextmanager
def driver_lock(paths: SweepPaths) -> Iterator[None]:
    """Be the sweep's only driver; the operating system frees the lock of one that crashed.

    Raises:
        StoreError: while another driver lives.
    """
    with paths.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"the sweep {paths.sweep!r} is being run by another process; watch it with"
                f" `sweeps status {paths.sweep}`, end it with `sweeps stop {paths.sweep}`"
            ) from None
        file.truncate(0)
        file.write(f"{socket.gethostname()} {os.getpid()}\n")
        file.flush()
        yield


def driver_alive(paths: SweepPaths) -> bool:
    """Whether some process drives the sweep now."""
    try:
        with paths.lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def driver_process(paths: SweepPaths) -> tuple[str, int]:
    """Name the host and the process that drive the sweep.

    Raises:
        StoreError: nobody does.
    """
    if not driver_alive(paths):
        raise StoreError(f"nobody runs the sweep {paths.sweep!r} now")
    host, pid = paths.lock.read_text("utf-8").split()
    return host, int(pid)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is there whole, also after a crash of the machine, or not at all."""
    with whole_file(open_folder(path)) as file:
        file.write(content)


class PartWriter:
    """Appends rows to the tables of a sweep, a file each time.

    One writer name belongs to one writer at a time, as a run belongs to one worker. A later row
    with the same key replaces an earlier one.
    """

    def __init__(self, paths: SweepPaths, name: str, new: bool = False) -> None:
        """Take a name; of a `new` one, which no writer had before, no parts are looked for."""
        self._sweep = paths.store
        self._folder = self._sweep.child(TABLES_FOLDER, PARTS_FOLDER)
        self._name = name
        self._new = new
        self._next: int | None = 0 if new else None

    def write(self, table: Table, rows: Sequence[Row]) -> None:
        """Write rows, durably: when this returns they survive a crash."""
        self.write_all([(table, rows)])

    def write_all(self, tables: Sequence[tuple[Table, Sequence[Row]]]) -> None:
        """Write rows of several tables: when this returns they all survive a crash, else none."""
        lists = {table.name: row_list(table, rows) for table, rows in tables if rows}
        if lists:
            self._write(lists)

    def read(self, table: Table) -> list[dict[str, Any]]:
        """Read back what this writer, or an earlier one of its name, wrote and is not compacted."""
        parts, _ = read_parts(self._sweep, table, self._name)
        return [row for rows in latest(table, parts) for row in rows.to_pylist()]

    def merge(self, beyond: int = 1) -> None:
        """Replace the parts, if more than `beyond`, by one a table, so that readers open few files.

        They count as new: only a writer that has the last word on all its keys may merge.
        """
        if self._new and (self._next or 0) <= beyond:
            return
        found = {table: read_parts(self._sweep, table, self._name) for table in TABLES.values()}
        parts = {one.path: one.written_at for written, _ in found.values() for one in written}
        if len(parts) <= beyond or any(damaged for _, damaged in found.values()):
            return
        for table, (written, _) in found.items():
            if written:
                self._write({table.name: joined(table, latest(table, written))})
        for path in sorted(parts, key=parts.__getitem__):
            self._sweep.filesystem.delete_file(path)

    def _write(self, rows: Mapping[str, pa.Array]) -> None:
        if self._next is None:
            numbers = [_number(file.path) for file in self._files()]
            self._next = 1 + max(numbers, default=-1)
        if self._next == 0:
            self._folder.make()
        name = f"{self._name}-{self._next:06d}.{'.'.join(rows)}.arrows"
        write_part(self._folder.child(name), rows)
        self._next += 1

    def _files(self) -> list[fs.FileInfo]:
        return self._folder.matching(re.compile(rf"{re.escape(self._name)}-\d{{6}}\..+"))


def _number(path: str) -> int:
    name = Path(path).name.partition(".")[0]
    return int(name.rpartition("-")[2])


def run_rows(paths: SweepPaths, table: Table, run_id: str) -> list[dict[str, Any]]:
    """Read one run's rows of a table, wherever they lie; none where the sweep has not met it."""
    rows = PartWriter(paths, run_id).read(table)
    whole = _compacted(paths.store, table)
    if not whole.exists():
        return rows
    only = [("run_id", "=", run_id)]
    earlier = pq.read_table(whole.path, filesystem=whole.filesystem, filters=only).to_pylist()
    last = {tuple(row[name] for name in table.key): row for row in (*earlier, *rows)}
    return list(last.values())


def run_row(paths: SweepPaths, run_id: str) -> dict[str, Any] | None:
    """Read the last row of one run, wherever it lies; None where the sweep has not met it."""
    rows = run_rows(paths, RUNS, run_id)
    return rows[-1] if rows else None


def compact(paths: SweepPaths) -> list[Damaged]:
    """Put each table of a sweep that nobody writes any more into one file, sorted by its key.

    A damaged part stays where it is, and so do all parts of a table whose one file is damaged.

    Returns:
        What is damaged; each is warned of, too.
    """
    sweep = paths.store
    found: dict[str, Damaged] = {}
    written_at: dict[str, int] = {}
    compacted: dict[str, set[str]] = {}
    for table in TABLES.values():
        parts, damaged = read_parts(sweep, table)
        found |= {part.path: part for part in damaged}
        whole = _compacted(sweep, table)
        new = {part.path: part.written_at for part in parts if part.path != whole.path}
        if new and whole.path not in found:
            write_rows(whole, table, latest(table, parts))
            written_at |= new
            for path in new:
                compacted.setdefault(path, set()).add(table.name)
    for part in found.values():
        warnings.warn(f"left damaged {part.path}: {part.reason}", StoreWarning, 3)
    # The oldest first: what is left after a crash is the newest.
    for path in sorted(compacted, key=written_at.__getitem__):
        if compacted[path] == set(tables_of(path)):
            sweep.filesystem.delete_file(path)
    return list(found.values())


def _compacted(sweep: Folder, table: Table) -> Folder:
    return sweep.child(TABLES_FOLDER, f"{table.name}.parquet")
