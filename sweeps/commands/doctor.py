"""Checks of the surroundings of a sweep; each says what is missing, and how to mend it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from analysis.store.errors import StoreError
from sweeps.store.paths import existing_parent
from sweeps.store.provenance import versions
from sweeps.workers import environment as ray_environment
from sweeps.workers.environment import ClusterError
from sweeps.workers.ports import ports_of
from sweeps.workers.token import check_token
from trainers.data import DATASETS
from trainers.data.sources import available, data_root

OLDEST_CLOCK = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock before this is wrong: the code was written later."""
CLOCK_SECONDS = 2.0
"""Most by which the clocks of this machine and of its storage may differ: the parts of a store
are read in the order of their times."""
FREE_GIGABYTES = 1.0
SLOW_SECONDS = 0.5
EXTRAS = {"optuna_dashboard": "dashboard", "tensorboardX": "tensorboard"}

Mark = Literal["ok", "note", "mend"]


@dataclass(frozen=True)
class Check:
    """One finding. `ok` and `note` stop no sweep; a finding to `mend` says how."""

    subject: str
    mark: Mark
    finding: str


def checks(root: Path, address: str | None = None) -> Iterator[Check]:
    """Make one check after the other.

    Args:
        root: where results go.
        address: the cluster to check; None: one that is started here and ended again.

    Yields:
        Each check as soon as it is made.
    """
    yield _versions()
    yield _extras()
    yield _attempt("devices", _devices)
    for name in (name for name, data in DATASETS.items() if data.source is not None):
        yield _data(name)
    yield _attempt("storage", lambda: _storage(root))
    yield _attempt("study", lambda: _study(root))
    yield _attempt("token", check_token)
    yield _attempt("cluster", lambda: _cluster(address))
    yield _attempt("clock", lambda: _clock(root))


def _versions() -> Check:
    found = versions()
    missing = [name for name, version in found.items() if version == "not installed"]
    shown = ", ".join(f"{name} {found[name]}" for name in ("python", "torch", "ray", "optuna"))
    if missing:
        return Check("versions", "mend", f"{shown}; pip install {' '.join(missing)}")
    return Check("versions", "ok", shown)


def _extras() -> Check:
    missing = [extra for name, extra in EXTRAS.items() if importlib.util.find_spec(name) is None]
    if not missing:
        return Check("extras", "ok", f"{' and '.join(EXTRAS.values())} are there")
    how = f"pip install 'polyneuron-sweeps[{','.join(missing)}]'"
    return Check("extras", "note", f"no {' and no '.join(missing)}; {how}")


def _devices() -> str:
    import torch

    gpus = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    shown = ", ".join(f"{gpu.name} ({gpu.total_memory / 1e9:.0f} GB)" for gpu in gpus)
    if gpus:
        torch.ones(1, device="cuda").add_(1).cpu()  # fails where the driver is too old for torch
    return f"{len(os.sched_getaffinity(0))} CPUs, GPUs: {shown or _why_no_gpu()}"


def _why_no_gpu() -> str:
    import torch

    if torch.version.cuda is None:
        return "none: this torch is built without CUDA"
    if not Path("/dev/nvidiactl").exists():
        return "none"
    raise OSError(
        f"a GPU is there that torch cannot use: install an NVIDIA driver for CUDA"
        f" {torch.version.cuda}, or a torch for the driver that is there"
    )


def _data(name: str) -> Check:
    root = data_root()
    if available(name, root):
        return Check(f"data {name}", "ok", f"under {root}")
    how = "the first sweep that needs it downloads it; else set SWEEPS_DATA to its folder"
    return Check(f"data {name}", "note", f"not under {root}: {how}")


def _storage(root: Path) -> str:
    """Write, sync and rename files where results would go, as the store does."""
    folder = existing_parent(root)
    started = time.perf_counter()
    with _scratch(folder) as scratch:
        first, second = Path(scratch) / "a", Path(scratch) / "b"
        second.write_text("old")
        with first.open("w") as file:
            file.write("new")
            file.flush()
            os.fsync(file.fileno())
        first.replace(second)
        if second.read_text() != "new" or first.exists():
            raise OSError(f"a rename in {folder} replaces no file: name another with --root")
    seconds = time.perf_counter() - started
    free = shutil.disk_usage(folder).free / 1e9
    if free < FREE_GIGABYTES:
        raise OSError(f"{folder} has {free:.1f} GB left: make room, or name another with --root")
    slow = "; slow: use a local disk" if seconds > SLOW_SECONDS else ""
    return (
        f"{root.resolve()} is writable, renames are atomic, {free:.0f} GB free;"
        f" a durable write takes {1000 * seconds:.0f} ms{slow}"
    )


def _study(root: Path) -> str:
    """Write a study where a sweep's would lie; on an NFS without locks this fails."""
    import optuna

    from sweeps.search.databases import URL_VARIABLE, open_database, shown_url

    url = os.environ.get(URL_VARIABLE)
    with _scratch(existing_parent(root)) as scratch:
        place = url or f"sqlite:///{scratch}/study.db"
        with open_database(place) as storage:
            if url is None:
                study = optuna.create_study(storage=storage)
                study.tell(study.ask(), 0.0)
                return "SQLite works under the root"
            count = len(storage.get_all_studies())
    return f"{shown_url(place)} answers and holds {count} studies"


def _cluster(address: str | None) -> str:
    ray_environment.set_ray_variables()
    from sweeps.spec.sections import ResourcesSection
    from sweeps.workers.cluster import cluster, offered

    with cluster(address, ResourcesSection()):
        place = f"{address} answers" if address else "one starts on this machine"
        doors = "" if address else f"; {_doors()}"
        return f"{place} and runs {offered().cpus:.0f} trials of one CPU at a time{doors}"


def _doors() -> str:
    """List the ports of this machine's cluster, and who reaches them."""
    ports = ports_of(os.getpid())
    shown = ", ".join(f"{port.number} {port.process}" for port in ports)
    reach = "this machine" if all(port.local for port in ports) else "every machine near this one"
    return f"its ports, which {reach} reaches; all but /metrics need the token: {shown}"


def _clock(root: Path) -> str:
    now = datetime.now(UTC)
    if now < OLDEST_CLOCK:
        raise OSError(f"{now:%Y-%m-%d} is long past: set the clock, for example by chrony")
    with _scratch(existing_parent(root)) as scratch:
        (Path(scratch) / "now").touch()
        apart = abs((Path(scratch) / "now").stat().st_mtime - time.time())
    if apart > CLOCK_SECONDS:
        raise OSError(f"the clocks of machine and storage are {apart:.0f} s apart: set both by NTP")
    return f"{now:%Y-%m-%d %H:%M:%S} UTC, and the storage agrees"


@contextmanager
def _scratch(folder: Path) -> Iterator[str]:
    try:
        scratch = tempfile.TemporaryDirectory(dir=folder)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"cannot write in {folder} ({reason}): name another with --root") from None
    with scratch as name:
        yield name


def _attempt(subject: str, look: Callable[[], str]) -> Check:
    try:
        return Check(subject, "ok", look())
    except (OSError, RuntimeError, ValueError, ClusterError, StoreError) as error:
        return Check(subject, "mend", f"{error}")
