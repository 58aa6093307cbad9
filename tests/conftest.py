"""Data roots for the tests that need the paper's own images."""

import os
from pathlib import Path

import pytest

# Without a GPU, Triton's kernels run interpreted. Triton reads this when it is first imported,
# which torchvision already does.
if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")


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
