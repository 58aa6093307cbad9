"""CIFAR-10 (Krizhevsky 2009): 50,000 + 10,000 colour images of ten kinds of things, 32x32."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

from trainers.data.record import Arrays, Dataset, Source

if TYPE_CHECKING:
    import numpy as np


def _download(root: Path) -> None:
    from torchvision.datasets import CIFAR10  # seconds to import, and rarely needed

    CIFAR10(str(root), download=True)


SOURCE = Source(
    folder="cifar-10-batches-py",
    md5={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
        "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    },
    mirror="https://www.cs.toronto.edu/~kriz/",
    download=_download,
    archives={"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"},
)


def read(root: Path, side: int) -> Arrays:
    """Read the six batches under `root`; `side` is unused, as the images keep their size."""
    import numpy as np  # a command that only names data sets has no use for it

    folder = root / SOURCE.folder

    def batch(name: str) -> tuple[np.ndarray, np.ndarray]:
        # Pickles run code, but `provide` has just compared these with their published MD5.
        content = pickle.loads((folder / name).read_bytes(), encoding="bytes")
        labels = np.array(content[b"labels"], np.int64)
        return content[b"data"].reshape(-1, 3, 32, 32), labels

    images, labels = zip(*(batch(f"data_batch_{number}") for number in range(1, 6)), strict=True)
    return Arrays(np.concatenate(images), np.concatenate(labels), *batch("test_batch"))


DATASET = Dataset(SOURCE, read, classes=10, printed="CIFAR-10")
