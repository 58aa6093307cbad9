"""Checks of the surroundings: what is missing for a sweep, and how to mend it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sweeps import ray_environment
from sweeps.provenance import versions
from trainers.datasets import available, data_root

OLDEST_CLOCK = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Check:
    """One finding; where it is not ok, it says how to mend it."""

    subject: str
    ok: bool
    finding: str


def checks(root: Path) -> Iterator[Check]:
    """Look at versions, devices, data, storage, study, cluster and clock, one after the other."""
    yield _versions()
    yield _devices()
    for name in ("mnist", "cifar10"):
        yield _data(name)
    yield _attempt("storage", lambda: _storage(root))
    yield _attempt("study", _study)
    yield _attempt("ray", _ray)
    yield _clock()


def _versions() -> Check:
    found = versions()
    missing = [name for name, version in found.items() if version == "not installed"]
    shown = ", ".join(f"{name} {found[name]}" for name in ("python", "torch", "ray", "optuna"))
    mend = f"; pip install {' '.join(missing)}" if missing else ""
    return Check("versions", not missing, shown + mend)


def _devices() -> Check:
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Check("devices", True, f"{cpus} CPUs, GPUs: {', '.join(names) or 'none'}")


def _data(name: str) -> Check:
    root = data_root()
    if available(name, root):
        return Check(f"data {name}", True, f"under {root}")
    return Check(
        f"data {name}",
        False,
        f"not under {root}; a sweep that needs it downloads it, or set SWEEPS_DATA to its folder",
    )


def _storage(root: Path) -> str:
    """Write and rename a file where results would go."""
    folder = root if root.exists() else next(p for p in root.resolve().parents if p.exists())
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        first, second = Path(scratch) / "a", Path(scratch) / "b"
        first.write_text("new")
        second.write_text("old")
        first.replace(second)
        if second.read_text() != "new":
            raise OSError(f"renaming over a file does not replace it in {folder}")
    return f"{root.resolve()} is writable and renames are atomic"


def _study() -> str:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        study = optuna.create_study(storage=f"sqlite:///{scratch}/study.db")
        study.tell(study.ask(), 0.0)
    return "Optuna's SQLite storage works"


def _ray() -> str:
    ray_environment.prepare()
    from sweeps.spec import ResourcesSection
    from sweeps.tuning import cluster

    with cluster(None, ResourcesSection()) as slots:
        return f"a local cluster starts, {slots} trials of one CPU at a time"


def _clock() -> Check:
    now = datetime.now(UTC)
    if now > OLDEST_CLOCK:
        return Check("clock", True, f"{now:%Y-%m-%d %H:%M:%S} UTC")
    return Check("clock", False, f"{now:%Y-%m-%d} is in the past; set the clock, as with ntpd")


def _attempt(subject: str, look: Callable[[], str]) -> Check:
    try:
        return Check(subject, True, look())
    except (OSError, RuntimeError, ValueError) as error:
        return Check(subject, False, f"{error}")
