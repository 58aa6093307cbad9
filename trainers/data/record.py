"""The record of a data set. Imports neither torch nor NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Arrays(NamedTuple):
    """Images, uint8 (N, C, H, W), and labels, int64 (N,), in the official order."""

    train_images: np.ndarray
    train_labels: np.ndarray
    val_images: np.ndarray
    val_labels: np.ndarray


@dataclass(frozen=True)
class Source:
    """The files of one data set under the data root, and where they come from."""

    folder: str
    md5: Mapping[str, str]
    """The published MD5 of each file, by name."""
    mirror: str
    """An address that answers where a download can work."""
    download: Callable[[Path], None]
    """Downloads the files under a data root. Raises OSError or RuntimeError where it cannot.
    Archives that are there already are unpacked, without a network."""
    archives: Mapping[str, str]
    """The published MD5 of each archive that `download` unpacks, by its path below the data root.
    """

    def paths(self, root: Path) -> dict[Path, str]:
        """Return every file's path and MD5."""
        return {root / self.folder / name: md5 for name, md5 in self.md5.items()}


@dataclass(frozen=True)
class Dataset:
    """One data set: its files, how they are read, and what it is called."""

    source: Source | None
    """None: it ships inside an installed package."""
    read: Callable[[Path, int], Arrays]
    """Reads the images from the data root. The second argument is the side to which images are
    resized that are too small for every network; others keep their own size."""
    classes: int
    printed: str
    """The data set's name in texts and tables."""
