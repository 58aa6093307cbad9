"""scikit-learn's digits: 1,797 grey images of handwritten digits, 8x8, resized for a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainers.data.record import Arrays, Dataset

FOR_VALIDATION = 360
"""There is no official split: the last 360 images, in the file's order, are the test set."""


def read(root: Path, side: int) -> Arrays:
    """Read the images and resize them to `side` (bilinear); `root` is unused."""
    # Torch and scikit-learn take a second or more to import, for this data set alone.
    import torch
    from sklearn.datasets import load_digits
    from torch.nn import functional as F

    digits = load_digits()
    small = torch.from_numpy(digits.images).float().unsqueeze(1) * (255 / 16)
    large = F.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)
    images = large.round().to(torch.uint8).numpy()
    labels = digits.target.astype(np.int64)
    train, val = slice(None, -FOR_VALIDATION), slice(-FOR_VALIDATION, None)
    return Arrays(images[train], labels[train], images[val], labels[val])


DATASET = Dataset(None, read, classes=10, printed="digits")
