"""Data sets as uint8 tensors, checked once, kept in a compact cache, and split."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import pickle
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainers.data import foreign
from trainers.data.config import DataConfig
from trainers.data.record import Arrays
from trainers.data.registry import DATASETS
from trainers.data.sources import (
    HOME,
    DataUnavailableError,
    available,
    data_root,
    provide,
    writable,
)
from trainers.durable import durable_file
from trainers.seeding import stream

__all__ = ["DataUnavailableError", "Images", "available", "data_root", "load", "split"]

_CACHE_VERSION = 1
"""Part of a cache file's name: raised when what is read from the same files changes."""


@dataclass(frozen=True)
class Images:
    """Training and validation images (N, C, H, W), with labels, int64 (N,).

    Images are uint8, or float32 in data that are not ours.
    """

    sha256: str
    """Hash of the whole data set: the bytes of the four tensors in this order, before `split`."""
    train_images: Tensor
    train_labels: Tensor
    val_images: Tensor
    val_labels: Tensor
    classes: int | None = field(default=None, kw_only=True)
    """Of data that are not ours; None: `DATASETS` says it."""

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the four tensors in the order of the hash."""
        return self.train_images, self.train_labels, self.val_images, self.val_labels

    def to(self, device: torch.device) -> Images:
        """Return the same images on `device`."""
        moved = (tensor.to(device) for tensor in self.tensors())
        return Images(self.sha256, *moved, classes=self.classes)


def load_configured(config: DataConfig, root: Path, side: int = 28) -> Images:
    """Load the whole data set of a configuration; for the arguments see `load`.

    Raises:
        DataUnavailableError: no files and no download, or damaged files.
        ValueError: what a function of one's own returns, or a folder has, are no images.
    """
    if config.name in DATASETS:
        return load(config.name, root, side)
    options = tuple(sorted(config.options.items()))
    return _load_foreign(config.name, config.folder, options, config.code, root)


def class_count(config: DataConfig, images: Images) -> int:
    """Return the number of a configuration's classes."""
    return DATASETS[config.name].classes if images.classes is None else images.classes


@functools.lru_cache(maxsize=1)
def _load_foreign(
    name: str, folder: str, options: tuple[tuple[str, Any], ...], code: str, root: Path
) -> Images:
    # The code is named for the cache alone: a module that has changed may load other images.
    images = _hashed(foreign.read(name, folder, dict(options), root))
    highest = max(int(labels.max()) for labels in (images.train_labels, images.val_labels))
    return replace(images, classes=highest + 1)


# The last one alone is kept: the runs of a worker are all on one data set.
@functools.lru_cache(maxsize=1)
def load(name: str, root: Path, side: int = 28) -> Images:
    """Load a whole data set: the official training set, and the test set for validation.

    Args:
        name: a name in `DATASETS`.
        root: absolute data root; unused by a data set that ships inside a package.
        side: height and width to which digits are resized; other images keep their own size.

    Raises:
        DataUnavailableError: no files and no download, or damaged files.
    """
    dataset = DATASETS[name]
    if dataset.source is None:
        return _hashed(dataset.read(root, side))
    if not available(name, root):
        provide(name, root)
    cache = _cache_path(name, root)
    cached = _read_cache(cache)
    if cached is not None:
        return cached
    provide(name, root)
    images = _hashed(dataset.read(root, side))
    # A disk that is full or closed to us costs the cache, not the run.
    with contextlib.suppress(OSError):
        _write_cache(cache, images)
    return images


def split(images: Images, config: DataConfig) -> Images:
    """Choose the images to train on and those to validate on.

    The shuffle is one for all seeds, so every run of a sweep holds out the same images.

    Raises:
        ValueError: more images asked for than there are.
    """
    n = len(images.train_images)
    if config.validation == "test" and config.train_images is None:
        return images
    order = torch.randperm(n, generator=stream(0, "split"))
    held_out = config.held_out_images if config.validation == "held_out" else 0
    if held_out + (config.train_images or 1) > n:
        wanted = f"held_out_images={held_out}, train_images={config.train_images}"
        raise ValueError(f"{wanted}: {config.name} has {n} training images; ask for fewer")
    # Ascending: a held-out part keeps the official image order.
    val = order[:held_out].sort().values
    train = order[held_out:][: config.train_images].sort().values
    chosen = replace(
        images, train_images=images.train_images[train], train_labels=images.train_labels[train]
    )
    if config.validation == "test":
        return chosen
    return replace(chosen, val_images=images.train_images[val], val_labels=images.train_labels[val])


def _hashed(arrays: Arrays) -> Images:
    images = Images("", *(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))
    return replace(images, sha256=_sha256(images))


def _sha256(images: Images) -> str:
    digest = hashlib.sha256()
    for tensor in images.tensors():
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def _cache_path(name: str, root: Path) -> Path:
    folder = root if writable(root) else HOME.expanduser()
    return folder / "tensors" / f"{name}-v{_CACHE_VERSION}.pt"


def _read_cache(path: Path) -> Images | None:
    """Return the cached images, or None if there are none or one of their bytes has changed."""
    try:
        # Mapped: all processes of a machine share one copy in memory.
        stored = torch.load(path, weights_only=True, mmap=True)
        images = Images(stored["sha256"], *stored["tensors"])
    except (OSError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError):
        return None
    return images if _sha256(images) == images.sha256 else None


def _write_cache(path: Path, images: Images) -> None:
    with durable_file(path) as file:
        torch.save({"tensors": images.tensors(), "sha256": images.sha256}, file)
