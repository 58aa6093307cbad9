"""The files and folders of one sweep."""

from __future__ import annotations

import os
import shlex
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.program import program
from analysis.store.errors import StoreError
from analysis.store.places import ELSEWHERE, TABLES_ADDRESS, TABLES_FOLDER, address_below

if TYPE_CHECKING:
    from analysis.store.folder_store import FolderStore

ROOT = Path("results")
"""The folder of all results, unless `--root` or `SWEEPS_ROOT` names another."""


def root_option(root: Path) -> str:
    """Return the option that leads a command to a root; nothing where it goes there by itself."""
    usual = Path(os.environ.get("SWEEPS_ROOT") or ROOT)
    return "" if root.resolve() == usual.resolve() else f" --root {shlex.quote(str(root))}"


def existing_parent(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there: its disk will have the folder."""
    return next(one for one in (folder.resolve(), *folder.resolve().parents) if one.exists())


@dataclass(frozen=True)
class SweepPaths:
    """Every path of one sweep under a root of sweeps."""

    root: Path
    sweep: str
    tables_at: str | None = field(default_factory=lambda: os.environ.get(TABLES_ADDRESS))
    """The address of `SWEEPS_TABLES`, which a worker on another machine takes from its driver."""

    @property
    def folder(self) -> Path:
        """The sweep's folder, which has all others."""
        return self.root / self.sweep

    @property
    def tables(self) -> Path:
        """The tables of results, unless `SWEEPS_TABLES` put them elsewhere: see `store`."""
        return self.folder / TABLES_FOLDER

    @property
    def store(self) -> FolderStore:
        """The tables of results, in the sweep's folder or at `SWEEPS_TABLES`."""
        from analysis.store.folder_store import open_store  # pandas

        return open_store(self.folder, self.tables_at)

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
        """Checkpoints, in a folder a run."""
        return self.folder / "checkpoints"

    @property
    def ray(self) -> Path:
        """Ray Tune's own files, which nobody needs once the sweep has ended."""
        return self.folder / "ray"

    @property
    def code(self) -> Path:
        """Hashes of the training code's files."""
        return self.folder / "code.json"

    @property
    def modules(self) -> Path:
        """Copies of the user's own modules that the specification names."""
        return self.folder / "modules"

    @property
    def spent(self) -> Path:
        """Seconds that the sweep has cost so far, where it has a budget."""
        return self.folder / "spent.json"

    @property
    def log(self) -> Path:
        """The log of Ray and the driver."""
        return self.folder / "log.txt"

    @property
    def progress(self) -> Path:
        """The driver's view as JSON, for `sweeps status` in another process."""
        return self.folder / "progress.json"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard event files of every run, where the user asked for them."""
        return self.folder / "tensorboard"

    @property
    def lock(self) -> Path:
        """The file that the sweep's one driver keeps locked while it lives."""
        return self.folder / "driver.lock"

    def hint(self, verb: str, options: str = "") -> str:
        """Return a command on the sweep as a message shows it."""
        return f"`{self.command(verb, options)}`"

    def command(self, verb: str, options: str = "") -> str:
        """Return a command on the sweep that runs as it stands."""
        where = root_option(self.root)
        return f"{program()} {verb} {shlex.quote(self.sweep)}{where}{options and f' {options}'}"

    def check_free(self) -> None:
        """Check that no sweep has the name yet.

        Raises:
            StoreError: the name is taken.
        """
        if self.folder.exists() and not self._abandoned():
            raise StoreError(
                f"the name {self.sweep!r} is taken: {self.folder} exists. See it with"
                f" {self.hint('results')}, or run again with --name ANOTHER"
            )

    def check_writable(self) -> None:
        """Check that the sweep's folder can be made, without leaving anything.

        Raises:
            StoreError: the results folder cannot be written to.
        """
        try:
            with tempfile.TemporaryFile(dir=existing_parent(self.folder)):
                pass
        except OSError as error:
            raise self._unwritable(error) from None

    def create(self) -> None:
        """Make the sweep's folder.

        Raises:
            StoreError: the name is taken, or the results folder cannot be written to.
        """
        from analysis.store.whole_files import sync_folder  # pyarrow

        try:
            self.folder.mkdir(parents=True, exist_ok=self._abandoned())
            sync_folder(self.root)
        except FileExistsError:
            self.check_free()
            raise
        except OSError as error:
            raise self._unwritable(error) from None
        if self.tables_at:
            self._put_tables_at(address_below(self.tables_at, self.sweep))

    def _abandoned(self) -> bool:
        """Return True if a driver died before its sweep had a specification."""
        begun = (self.lock, self.tables, self.code, self.modules, self.tensorboard)
        return (
            self.folder.is_dir()
            and not self.spec.exists()
            and all(one in begun or one.name.startswith(".") for one in self.folder.iterdir())
        )

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"cannot write to the results folder {self.root}: {error.strerror or error}; name"
            " another with --root"
        )

    def _put_tables_at(self, address: str) -> None:
        from analysis.store.folders import open_folder
        from analysis.store.whole_files import write_atomically

        try:
            if open_folder(address).child(TABLES_FOLDER).exists():
                raise StoreError(
                    f"{TABLES_ADDRESS}: the name {self.sweep!r} is taken: {address} has results"
                )
            write_atomically(self.folder / ELSEWHERE, f"{address}\n".encode())
        except (OSError, StoreError):
            self.folder.rmdir()
            raise
