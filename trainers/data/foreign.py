"""Data that are not ours: a function of one's own, a folder of images, torchvision's data sets."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainers.data.record import Arrays
from trainers.data.sources import DataUnavailableError
from trainers.references import place_of, resolve

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER, TORCHVISION = "folder", "torchvision"

FOR_VALIDATION = ("val", "validation", "test")
"""Names of the subfolder beside `train`; the first that is there is taken."""

ONE_IN = 5
"""Of a folder without subfolders of that kind, one image in so many is for validation."""

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}

RETURNED = "(train_images, train_labels, val_images, val_labels)"


def read(name: str, folder: str, options: Mapping[str, Any], root: Path) -> Arrays:
    """Read the images that a configuration names.

    Args:
        name: `folder:PATH`, `torchvision:NAME`, or `module:function`.
        folder: the absolute path of a folder.
        options: `side`, to which images are resized; else those of the function or the data set.
        root: the data root.

    Raises:
        DataUnavailableError: the folder or the data set is not there.
        ValueError: what is there, or what the function returns, are no images with labels.
    """
    kind, _, inside = name.partition(":")
    if kind == FOLDER:
        return _folder(Path(folder or inside), **options)
    if kind == TORCHVISION:
        return _torchvision(inside, dict(options), root)
    function = resolve(name)
    try:
        inspect.signature(function).bind(root, **options)
    except TypeError as error:
        called = ", ".join(["root", *(f"{key}=..." for key in options)])
        raise ValueError(f"{place_of(name)}: {error}; it is called with ({called})") from None
    return _checked(function(root, **options), place_of(name))


def _checked(found: Any, where: str) -> Arrays:
    if not isinstance(found, Sequence) or len(found) != 4:
        raise ValueError(f"{where}: expected {RETURNED}; got {type(found).__name__}")
    named = zip(Arrays._fields, found, strict=True)
    made = Arrays(*(_array(one, f"{where}: {name}", name) for name, one in named))
    for images, labels, part in ((*made[:2], "train"), (*made[2:], "val")):
        if len(images) != len(labels) or not len(images):
            raise ValueError(
                f"{where}: expected as many {part}_labels as {part}_images, and at least one; got"
                f" {len(labels)} and {len(images)}"
            )
    train, val = made.train_images, made.val_images
    if train.shape[1:] != val.shape[1:] or train.dtype != val.dtype:
        raise ValueError(
            f"{where}: expected train_images and val_images of one shape and kind; got"
            f" {train.shape[1:]} {train.dtype} and {val.shape[1:]} {val.dtype}"
        )
    return made


def _array(value: Any, where: str, name: str) -> np.ndarray:
    found = np.asarray(value)
    if name.endswith("labels"):
        if found.ndim != 1 or found.dtype.kind not in "iu" or (found.size and found.min() < 0):
            raise ValueError(f"{where}: expected integers (N,) from 0; got {_of(found)}")
        return found.astype(np.int64)
    if found.ndim == 3:
        found = found[:, None]
    if found.ndim != 4 or not (found.dtype == np.uint8 or found.dtype.kind == "f"):
        raise ValueError(f"{where}: expected uint8 or float (N, C, H, W); got {_of(found)}")
    if found.dtype.kind == "f":
        found = found.astype(np.float32)
        if not np.isfinite(found).all():
            raise ValueError(f"{where}: not all values are finite")
    return found


def _of(found: np.ndarray) -> str:
    return f"{found.dtype} {found.shape}"


def _folder(path: Path, side: int | None = None) -> Arrays:
    """Read `train/CLASS/*.png` and `val/CLASS/*.png`, or `CLASS/*.png`, in the order of names."""
    if not path.is_dir():
        raise DataUnavailableError(f"folder:{path}: no such folder on this machine")
    val = next((path / name for name in FOR_VALIDATION if (path / name).is_dir()), None)
    train = path / "train"
    parts = [train, val] if val is not None and train.is_dir() else [path]
    classes = sorted({one.name for part in parts for one in part.iterdir() if one.is_dir()})
    listed = [_listed(part, classes) for part in parts]
    if not all(listed):
        raise DataUnavailableError(
            f"folder:{path}: expected images as CLASS/NAME.png, or train/CLASS/NAME.png and"
            f" val/CLASS/NAME.png; found none below {parts[listed.index([])]}"
        )
    if len(listed) == 1:
        listed = _parted(listed[0])
    images = _stacked([file for part in listed for file, _ in part], side)
    labels = np.array([label for part in listed for _, label in part], np.int64)
    n = len(listed[0])
    return Arrays(images[:n], labels[:n], images[n:], labels[n:])


def _listed(part: Path, classes: Sequence[str]) -> list[tuple[Path, int]]:
    return [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((part / name).rglob("*"))
        if file.suffix.lower() in SUFFIXES
    ]


def _parted(images: list[tuple[Path, int]]) -> list[list[tuple[Path, int]]]:
    # They are in the order of classes: each class of five or more is in both parts.
    val = images[ONE_IN - 1 :: ONE_IN] or images[-1:]
    chosen = {file for file, _ in val}
    return [[one for one in images if one[0] not in chosen], val]


def _stacked(files: Sequence[Path], side: int | None) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    opened: list[Image.Image] = []
    for file in files:
        try:
            with Image.open(file) as image:
                image.load()
                opened.append(image.copy())
        except (OSError, UnidentifiedImageError) as error:
            raise DataUnavailableError(f"{file} cannot be read as an image: {error}") from None
    return _as_array(opened, side, [str(file) for file in files])


def _as_array(images: Sequence[Image], side: int | None, names: Sequence[str]) -> np.ndarray:
    """Return uint8 (N, C, H, W): grey if every image is, else with three colours."""
    mode = "L" if all(image.mode in ("L", "1") for image in images) else "RGB"
    converted = (image if image.mode == mode else image.convert(mode) for image in images)
    if side is not None:
        converted = (image.resize((side, side), 2) for image in converted)  # 2: bilinear
    arrays = [np.asarray(image) for image in converted]
    for array, name in zip(arrays, names, strict=True):
        if array.shape != arrays[0].shape:
            sizes = [f"{one.shape[1]}x{one.shape[0]}" for one in (arrays[0], array)]
            raise ValueError(
                f"images have one size: {names[0]} has {sizes[0]} and {name} {sizes[1]}; resize"
                " them all with data_options: {side: 32}"
            )
    stacked = np.stack(arrays)
    return stacked[:, None] if mode == "L" else np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))


def _torchvision(name: str, options: dict[str, Any], root: Path) -> Arrays:
    from torchvision import datasets  # seconds to import

    kind = getattr(datasets, name, None)
    if kind is None or name not in datasets.__all__:
        close = difflib.get_close_matches(name, datasets.__all__, n=1)
        hint = f"; did you mean {close[0]}?" if close else "; see torchvision.datasets"
        raise ValueError(f"torchvision has no data set {name!r}{hint}")
    side = options.pop("side", None)
    known = inspect.signature(kind).parameters
    download = {"download": True} if "download" in known else {}
    found: list[Any] = []
    for train_part in (True, False):
        part: dict[str, Any] = {"train": train_part}
        if "train" not in known:
            part = {"split": "train" if train_part else "test"}
        try:
            found.append(kind(str(root), **{**part, **download, **options}))
        except (OSError, RuntimeError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise DataUnavailableError(
                f"torchvision:{name} is not under {root} and cannot be downloaded ({lines[0]});"
                " set SWEEPS_DATA to the folder that holds it"
            ) from None
        except TypeError as error:
            raise ValueError(f"torchvision:{name}: {error}; see data_options") from None
    (train, train_labels), (val, val_labels) = (_unzipped(one, name) for one in found)
    images = _as_array([*train, *val], side, [f"image {n}" for n in range(len(train) + len(val))])
    n = len(train)
    return Arrays(images[:n], train_labels, images[n:], val_labels)


def _unzipped(dataset: Iterable[Any], name: str) -> tuple[list[Any], np.ndarray]:
    # torchvision's data sets end by an IndexError alone, which `zip` of `range` avoids.
    pairs = [dataset[n] for n in range(len(dataset))]  # type: ignore[index,arg-type]
    if not all(isinstance(label, int | np.integer) for _, label in pairs):
        raise ValueError(f"torchvision:{name} has no classes: each label is to be one number")
    return [image for image, _ in pairs], np.array([int(label) for _, label in pairs], np.int64)
