"""scikit-learn's digits: 1,797 grey images of handwritten digits, 8x8, resized for a network."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from trainers.data.record import Arrays, Dataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOR_VALIDATION = 360
"""There is no official split: the last 360 images, in the file's order, are the test set."""


def read(root: Path, side: int) -> Arrays:
    """Read the images and resize them to `side` (bilinear); `root` is unused."""
    import numpy as np
    import torch  # seconds to import, for this data set alone
    from torch.nn import functional as F

    table = _table()
    small = torch.from_numpy(table[:, :-1]).float().reshape(-1, 1, 8, 8) * (255 / 16)
    large = F.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)
    images = large.round().to(torch.uint8).numpy()
    labels = table[:, -1].astype(np.int64)
    train, val = slice(None, -FOR_VALIDATION), slice(-FOR_VALIDATION, None)
    return Arrays(images[train], labels[train], images[val], labels[val])


def _table() -> NDArray[np.float64]:
    """Read scikit-learn's own file: an image a row (1797, 65), 64 grey levels of 0-16 and a label.

    To import scikit-learn for it takes 2 s of each worker's start.
    """
    import numpy as np

    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the data set digits ships with scikit-learn: pip install it")
    file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(file, "rt") as lines:
        table: NDArray[np.float64] = np.loadtxt(lines, delimiter=",")
    return table


DATASET = Dataset(None, read, classes=10, printed="digits")
