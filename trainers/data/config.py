"""The section `data` of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainers.bounds import Count, check_bounds, check_name
from trainers.data.registry import DATASETS


@dataclass(frozen=True)
class DataConfig:
    """The images to train on and those to validate on."""

    name: str = "mnist"
    """Name of the data set. `digits` are scikit-learn's 8x8 images, which need no download."""
    validation: Literal["test", "held_out"] = "test"
    """`test`: the official test set, all training images in use, as Table 1's "validation" is
    read. `held_out`: part of the training set, so that a search does not select on the test
    set."""
    held_out_images: Count = 5000
    """Size of the held-out part; unused with `validation="test"`."""
    train_images: Count | None = None
    """Train on the first so many images of a fixed shuffle; None: all."""

    def __post_init__(self) -> None:
        check_name(self.name, DATASETS)
        check_bounds(self)
