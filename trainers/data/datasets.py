"""MNIST, CIFAR-10 and digits as uint8 tensors, checked once and kept in a compact cache."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from trainers.config import DataConfig
from trainers.data.sources import (
    HOME,
    SOURCES,
    DataUnavailableError,
    available,
    data_root,
    provide,
    writable,
)
from trainers.seeding import stream

__all__ = ["CLASSES", "DataUnavailableError", "Images", "available", "data_root", "load", "split"]

CLASSES = 10
"""Of each of the three data sets."""

DIGITS_FOR_VALIDATION = 360
"""digits has no official split: its last 360 images, in the file's order, are its test set."""

_CACHE_VERSION = 1


@dataclass(frozen=True)
class Images:
    """Training and validation images, uint8 (N, C, H, W), with labels, int64 (N,)."""

    sha256: str
    """Of the whole data set's bytes: the four tensors in this order, before any selection."""
    train_images: Tensor
    train_labels: Tensor
    val_images: Tensor
    val_labels: Tensor

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the four tensors in the order of the hash."""
        return self.train_images, self.train_labels, self.val_images, self.val_labels

    def to(self, device: torch.device) -> Images:
        """Return the same images on `device`."""
        return Images(self.sha256, *(tensor.to(device) for tensor in self.tensors()))


@functools.lru_cache(maxsize=1)
def load(name: str, root: Path, digits_side: int = 28) -> Images:
    """Load a whole data set: the official training set, and the test set for validation.

    Args:
        name: `mnist`, `cifar10` or `digits`.
        root: absolute data root; unused for digits.
        digits_side: height and width to which the 8x8 digits are resized (bilinear).

    Raises:
        DataUnavailableError: no files and no download, or damaged files.
    """
    if name == "digits":
        return _load_digits(digits_side)
    if not available(name, root):
        provide(name, root)
    cache = _cache_path(name, root)
    cached = _read_cache(cache)
    if cached is not None:
        return cached
    provide(name, root)
    images = _read_mnist(root) if name == "mnist" else _read_cifar10(root)
    # A disk that is full or closed to us costs the cache, not the run.
    with contextlib.suppress(OSError):
        _write_cache(cache, images)
    return images


def split(images: Images, config: DataConfig) -> Images:
    """Choose what to train and validate on.

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


def _hashed(*arrays: np.ndarray) -> Images:
    images = Images("", *(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))
    return replace(images, sha256=_sha256(images))


def _sha256(images: Images) -> str:
    digest = hashlib.sha256()
    for tensor in images.tensors():
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def _load_digits(side: int) -> Images:
    from sklearn.datasets import load_digits  # seconds to import, for this data set alone

    digits = load_digits()
    small = torch.from_numpy(digits.images).float().unsqueeze(1) * (255 / 16)
    large = F.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)
    images = large.round().to(torch.uint8).numpy()
    labels = digits.target.astype(np.int64)
    train, val = slice(None, -DIGITS_FOR_VALIDATION), slice(-DIGITS_FOR_VALIDATION, None)
    return _hashed(images[train], labels[train], images[val], labels[val])


def _read_mnist(root: Path) -> Images:
    paths = {path.name: path for path in SOURCES["mnist"].paths(root)}

    def images(part: str) -> np.ndarray:
        # IDX: a header of four 4-byte numbers for images, of two for labels, then raw bytes.
        raw = np.fromfile(paths[f"{part}-images-idx3-ubyte"], np.uint8, offset=16)
        return raw.reshape(-1, 1, 28, 28)

    def labels(part: str) -> np.ndarray:
        raw = np.fromfile(paths[f"{part}-labels-idx1-ubyte"], np.uint8, offset=8)
        return raw.astype(np.int64)

    return _hashed(images("train"), labels("train"), images("t10k"), labels("t10k"))


def _read_cifar10(root: Path) -> Images:
    folder = root / SOURCES["cifar10"].folder

    def batch(name: str) -> tuple[np.ndarray, np.ndarray]:
        # Pickles, but their checksums have just been compared with the published ones.
        content = pickle.loads((folder / name).read_bytes(), encoding="bytes")
        labels = np.array(content[b"labels"], np.int64)
        return content[b"data"].reshape(-1, 3, 32, 32), labels

    images, labels = zip(*(batch(f"data_batch_{number}") for number in range(1, 6)), strict=True)
    return _hashed(np.concatenate(images), np.concatenate(labels), *batch("test_batch"))


def _cache_path(name: str, root: Path) -> Path:
    folder = root if writable(root) else HOME.expanduser()
    return folder / "tensors" / f"{name}-v{_CACHE_VERSION}.pt"


def _read_cache(path: Path) -> Images | None:
    """Return the cached images; None where there are none or a byte of them has changed."""
    try:
        stored = torch.load(path, weights_only=True, mmap=True)
        images = Images(stored["sha256"], *stored["tensors"])
    except (OSError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError):
        return None
    return images if _sha256(images) == images.sha256 else None


def _write_cache(path: Path, images: Images) -> None:
    """Write under a name of our own, then rename: a reader sees a whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            torch.save({"tensors": images.tensors(), "sha256": images.sha256}, file)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
