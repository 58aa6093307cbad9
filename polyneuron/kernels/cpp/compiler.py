"""C++ kernels, compiled for this processor at their first use and kept for the next process."""

import atexit
import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from polyneuron.kernels.backend import warn_of_plain_formulas

KERNELS = Path(__file__).parents[1]
"""The folder from which headers are included: `cpp/lanes.hpp`, `swish/swish.hpp`."""
FLAGS = (
    # The widest vectors of this processor: kernels are compiled where they run.
    *("-std=c++17", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"),
    # Else a comparison, which may set errno or trap, does not become one maximum instruction.
    *("-fno-math-errno", "-fno-trapping-math"),
)
TIMEOUT_SECONDS = 120
"""For one kernel. Radial functions of s = 33 and k = 6 behind a norm take 11 s of a core."""


@functools.cache
def library(source: str | Path, **definitions: str) -> ctypes.CDLL | None:
    """Compile a source, or find it compiled; None, with a warning, where that fails.

    Args:
        source: name of a .cpp file beside this one, or a path to one elsewhere.
        definitions: values of the source's macros.
    """
    compiler = _compiler()
    if compiler is None:
        return None
    macros = [f"-D{name}={value}" for name, value in definitions.items()]
    path = KERNELS / "cpp" / source
    command = [*compiler, *FLAGS, f"-I{KERNELS}", *macros, str(path)]
    name = f"{_digest(command, path)}.so"
    for folder in _folders():  # a home folder may be read-only, or none, or open to others
        try:
            return _loaded(folder / name, command)
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines()
            warn_of_plain_formulas(
                f"{compiler[0]}: {lines[-1] if lines else f'exit status {error.returncode}'}"
            )
            return None
        except subprocess.TimeoutExpired:
            warn_of_plain_formulas(f"{compiler[0]} takes longer than {TIMEOUT_SECONDS} s")
            return None
        except OSError as error:
            reason = error
    warn_of_plain_formulas(f"no compiled kernel can be kept: {reason}")
    return None


@functools.cache
def _compiler() -> tuple[str, ...] | None:
    command = shlex.split(os.environ.get("CXX", "g++"))
    path = shutil.which(command[0]) if command else None
    if path is None:
        warn_of_plain_formulas("no C++ compiler found; install g++ or name one in CXX")
        return None
    return (path, *command[1:])


def _folders() -> Iterator[Path]:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    yield cache / "polyneuron-sweeps" / "kernels"
    yield _process_folder()


@functools.cache
def _process_folder() -> Path:
    """Make a folder for this process alone: a name that others can guess, they can make first."""
    folder = tempfile.mkdtemp(prefix="polyneuron-kernels-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@contextlib.contextmanager
def _own_folder(folder: Path) -> Iterator[int]:
    """Make a folder for this user alone: who could write there could run code in our name.

    Yields:
        Its descriptor.

    Raises:
        PermissionError: somebody else owns it, or can write there.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not _own(os.fstat(descriptor)):
            raise PermissionError(
                f"{folder} belongs to somebody else, or others can write there; for you alone:"
                f" chmod go-w {shlex.quote(str(folder))}"
            )
        yield descriptor
    finally:
        os.close(descriptor)


def _own(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _digest(command: list[str], *elsewhere: Path) -> str:
    """Hash all that decides what the compiler makes: command, compiler, sources, processor.

    The processor, because a home folder may serve many machines; the compiler's size and date,
    because an update keeps its path. Sources may lie elsewhere than the kernels.
    """
    version = Path(command[0]).resolve().stat()
    parts = [*command, str((version.st_size, version.st_mtime_ns))]
    sources = {*KERNELS.glob("*/*.?pp"), *elsewhere}
    parts += [path.read_text() for path in sorted(sources)]
    return hashlib.sha256("\0".join([*parts, _processor()]).encode()).hexdigest()[:20]


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()  # not Linux
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _loaded(path: Path, command: list[str]) -> ctypes.CDLL:
    with _own_folder(path.parent) as folder:
        if not _is_own_file(path.name, folder):
            _compile(path, command)
            if not _is_own_file(path.name, folder):
                raise PermissionError(f"{path} does not stay as it was made")
        # From the folder that was looked at: its path may name another by now.
        opened = Path(f"/proc/self/fd/{folder}", path.name)
        return ctypes.CDLL(str(opened if opened.exists() else path))


def _is_own_file(name: str, folder: int) -> bool:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and _own(status)


def _compile(path: Path, command: list[str]) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    os.close(descriptor)
    try:
        subprocess.run(
            [*command, "-o", temporary],
            check=True,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        # The linker makes a file anew, in the mode that the umask leaves.
        Path(temporary).chmod(0o700)
        # Renamed, so that another process, which may compile the same, loads no half of a file.
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
