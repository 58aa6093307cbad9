"""The section `data` of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from trainers.bounds import Count, check_bounds, check_reference
from trainers.data.registry import DATASETS


@dataclass(frozen=True)
class DataConfig:
    """The images to train on and those to validate on."""

    name: str = "mnist"
    """Name of the data set; `digits` are scikit-learn's 8x8 images, which need no download. Or a
    function of one's own, as `module:function`; a folder of images, as `folder:PATH`; or one of
    torchvision's, as `torchvision:FashionMNIST`."""
    validation: Literal["test", "held_out"] = "test"
    """`test`: the official test set, all training images in use, as Table 1's "validation" is
    read. `held_out`: part of the training set, so that a search does not select on the test
    set."""
    held_out_images: Count = 5000
    """Size of the held-out part; unused with `validation="test"`."""
    train_images: Count | None = None
    """Train on the first so many images of a fixed shuffle; None: all."""
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    """Keyword arguments of data that are not ours: `side` of a folder's images, ..."""
    code: str = ""
    """Hash of the modules of one's own that `module:function` reaches; filled in when a
    specification is read."""
    folder: str = ""
    """The absolute path of `folder:PATH`; filled in when a specification is read. Of no part in
    what a training is: a folder that was moved has the same images."""

    def __post_init__(self) -> None:
        check_reference(self.name, DATASETS, "folder:")
        check_bounds(self)
