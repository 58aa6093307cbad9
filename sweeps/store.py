"""Where a sweep lies on disk, and how its results are written: whole files or nothing."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import StoreError
from analysis.schema import RUNS, TABLES, TABLES_FOLDER, Table

Row = Mapping[str, Any]


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
        """The results: what `analysis.load` reads."""
        return self.folder / TABLES_FOLDER

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
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


class PartWriter:
    """Appends rows to the tables of a sweep, a Parquet file each time.

    One writer name belongs to one writer at a time, as a run belongs to one worker. A later row
    with the same key replaces an earlier one.
    """

    def __init__(self, paths: SweepPaths, name: str) -> None:
        self._paths = paths
        self._name = name
        self._next: dict[str, int] = {}
        self.seconds = 0.0

    def write(self, table: Table, rows: Sequence[Row]) -> None:
        """Write rows, durably: when this returns they survive a crash."""
        if not rows:
            return
        started = time.perf_counter()
        self._write(table, pa.Table.from_pylist([dict(row) for row in rows], schema=table.schema))
        self.seconds += time.perf_counter() - started

    def read(self, table: Table) -> list[dict[str, Any]]:
        """Read back what this writer, or an earlier one of its name, wrote and is not compacted."""
        parts = [pq.read_table(part) for part in self._parts(table)]
        return last_wins(table, parts).to_pylist() if parts else []

    def merge(self) -> None:
        """Replace the writer's many parts of each table by one, so that readers open few files.

        The one counts as new: only a writer that has the last word on all its keys may merge.
        """
        started = time.perf_counter()
        for table in TABLES.values():
            parts = self._parts(table)
            if len(parts) > 1:
                self._write(table, last_wins(table, [pq.read_table(part) for part in parts]))
                for part in parts:
                    part.unlink(missing_ok=True)
        self.seconds += time.perf_counter() - started

    def _write(self, table: Table, rows: pa.Table) -> None:
        folder = self._paths.tables / table.name
        if table.name not in self._next:
            folder.mkdir(parents=True, exist_ok=True)
            numbers = [int(part.stem.rpartition("-")[2]) for part in self._parts(table)]
            self._next[table.name] = max(numbers, default=-1) + 1
        number = self._next[table.name]
        write_table(folder / f"{self._name}-{number:06d}.parquet", table, rows)
        self._next[table.name] = number + 1

    def _parts(self, table: Table) -> list[Path]:
        return sorted((self._paths.tables / table.name).glob(f"{self._name}-??????.parquet"))


def last_wins(table: Table, parts: Sequence[pa.Table]) -> pa.Table:
    """Join parts in the order of their writing; of rows with the same key the last one stays."""
    rows = pa.concat_tables(part.cast(table.schema) for part in parts)
    keys = zip(*(rows.column(column).to_pylist() for column in table.key), strict=True)
    last = {key: index for index, key in enumerate(keys)}
    return rows.take(pa.array(sorted(last.values())))


def write_table(path: Path, table: Table, rows: pa.Table) -> None:
    """Write one Parquet file whole, with the schema's version and the time of writing."""
    metadata = {**(table.schema.metadata or {}), b"written_at": str(time.time_ns()).encode()}
    sink = pa.BufferOutputStream()
    pq.write_table(rows.replace_schema_metadata(metadata), sink, compression="zstd")
    write_atomically(path, sink.getvalue().to_pybytes())


def run_rows(paths: SweepPaths, table: Table, run_id: str) -> list[dict[str, Any]]:
    """Read one run's rows of a table, wherever they lie; none where the sweep has not met it."""
    rows = PartWriter(paths, run_id).read(table)
    whole = paths.tables / f"{table.name}.parquet"
    if not whole.exists():
        return rows
    earlier = pq.read_table(whole, filters=[("run_id", "=", run_id)]).to_pylist()
    last = {tuple(row[name] for name in table.key): row for row in (*earlier, *rows)}
    return list(last.values())


def run_row(paths: SweepPaths, run_id: str) -> dict[str, Any] | None:
    """Read the last row of one run, wherever it lies; None where the sweep has not met it."""
    rows = run_rows(paths, RUNS, run_id)
    return rows[-1] if rows else None


def compact(paths: SweepPaths) -> None:
    """Put each table of a sweep that nobody writes any more into one file, sorted by its key."""
    for table in TABLES.values():
        folder = paths.tables / table.name
        parts = sorted(folder.glob("[!.]*.parquet"), key=_written_at)
        whole = paths.tables / f"{table.name}.parquet"
        if not parts:
            continue
        earlier = [whole] if whole.exists() else []
        rows = last_wins(table, [pq.read_table(part) for part in (*earlier, *parts)])
        rows = rows.sort_by([(column, "ascending") for column in table.key])
        write_table(whole, table, rows)
        for part in parts:
            part.unlink()


def _written_at(part: Path) -> tuple[int, str]:
    metadata = pq.read_schema(part).metadata or {}
    return int(metadata.get(b"written_at", b"0")), part.name


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
