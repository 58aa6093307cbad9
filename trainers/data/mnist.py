"""MNIST (LeCun et al. 1998): 60,000 + 10,000 grey images of handwritten digits, 28x28."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainers.data.record import Arrays, Dataset, Source

if TYPE_CHECKING:
    import numpy as np


def _download(root: Path) -> None:
    from torchvision.datasets import MNIST  # seconds to import, and rarely needed

    MNIST(str(root), download=True)


SOURCE = Source(
    folder="MNIST/raw",
    md5={
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    mirror="https://ossci-datasets.s3.amazonaws.com/mnist/",
    download=_download,
    archives={
        "MNIST/raw/train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "MNIST/raw/train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "MNIST/raw/t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "MNIST/raw/t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
)


def read(root: Path, side: int) -> Arrays:
    """Read the four files under `root`; `side` is unused, as the images keep their size."""
    import numpy as np  # a command that only names data sets has no use for it

    folder = root / SOURCE.folder

    def images(part: str) -> np.ndarray:
        # IDX: a header of four 4-byte numbers for images, of two for labels, then raw bytes.
        raw = np.fromfile(folder / f"{part}-images-idx3-ubyte", np.uint8, offset=16)
        return raw.reshape(-1, 1, 28, 28)

    def labels(part: str) -> np.ndarray:
        raw = np.fromfile(folder / f"{part}-labels-idx1-ubyte", np.uint8, offset=8)
        return raw.astype(np.int64)

    return Arrays(images("train"), labels("train"), images("t10k"), labels("t10k"))


DATASET = Dataset(SOURCE, read, classes=10, printed="MNIST")
