"""Data roots for the tests that need the paper's own images; the command `sweeps`, called here."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.workers.environment import set_ray_variables

# Ray reads how it is guarded when it is imported, whichever test or module does so first.
set_ray_variables()

# Without a GPU, Triton's kernels run interpreted. Triton reads this when it is first imported,
# which torchvision already does.
if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")

# Tests run side by side; their sweeps would wait for each other's cores.
os.environ["SWEEPS_BOARD"] = tempfile.mkdtemp()


def _data_root(folder: str) -> Path:
    root = os.environ.get("SWEEPS_DATA")
    if root is None or not (Path(root) / folder).is_dir():
        pytest.skip(f"set SWEEPS_DATA to a folder that holds {folder}")
    return Path(root).resolve()


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    return _data_root("MNIST/raw")


@pytest.fixture(scope="session")
def cifar10_root() -> Path:
    return _data_root("cifar-10-batches-py")


@pytest.fixture(scope="session")
def sweeps_here() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call the command `sweeps` in a folder, within this process.

    A process of its own takes seconds to import torch and Ray: it is only for tests that send it a
    signal, or that are about its environment.
    """
    from sweeps.commands.cli import run_command

    def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.chdir(folder)
            patch.setenv("COLUMNS", "160")
            patch.setattr(sys, "argv", ["sweeps", *arguments])
            code = run_command()
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    return call
