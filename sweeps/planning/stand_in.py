"""Images for a calibration: the sweep's own, or random ones of their number and shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from sweeps.spec.sections import SweepSpec
from trainers.data import DATASETS
from trainers.data.datasets import Images, available, load_configured, split
from trainers.networks.registry import input_side


@dataclass(frozen=True)
class Extent:
    """The numbers of images of a data set, and their shape."""

    train: int
    validation: int
    channels: int
    side: int


EXTENTS: Mapping[str, Extent] = {
    "mnist": Extent(60_000, 10_000, 1, 28),
    "cifar10": Extent(50_000, 10_000, 3, 32),
}
"""Of the data sets that are downloaded: a plan needs none of their images."""


def images_of(spec: SweepSpec, data_root: Path) -> tuple[Images, str]:
    """Return images to measure a sweep with, and a remark on them where they are not its own.

    Raises:
        DataUnavailableError: data of a user's own that are not on this machine.
    """
    name = spec.data.name
    if name not in EXTENTS or available(name, data_root):
        return split(
            load_configured(spec.data, data_root, input_side(spec.network.name)), spec.data
        ), ""
    remark = f"with random images of {DATASETS[name].printed}'s number and size, which is not here"
    return split(random_images(name), spec.data), remark


def random_images(name: str) -> Images:
    """Return random images in the number and shape of a data set."""
    extent, generator = EXTENTS[name], torch.Generator().manual_seed(0)

    def draw(n: int, *shape: int, most: int = 256) -> torch.Tensor:
        return torch.randint(0, most, (n, *shape), generator=generator)

    shape = (extent.channels, extent.side, extent.side)
    classes = DATASETS[name].classes
    return Images(
        "",
        draw(extent.train, *shape).to(torch.uint8),
        draw(extent.train, most=classes),
        draw(extent.validation, *shape).to(torch.uint8),
        draw(extent.validation, most=classes),
    )
