"""Augmentation (§3): pad, random crop, flip, normalise, on whole batches on the device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from trainers import windows
from trainers.recipe import Recipe
from trainers.seeding import stream


@dataclass(frozen=True)
class Draws:
    """An epoch's random choices, one row per training image, on the images' device."""

    order: Tensor
    """(n,) permutation of the images."""
    offset: Tensor
    """(n, 2) row and column, 0..2*pad, of image i's window in the padded image."""
    flip: Tensor
    """(n,) bool: mirror image i."""

    def __len__(self) -> int:
        return len(self.order)


def draw_epoch(n: int, recipe: Recipe, seed: int, epoch: int, device: torch.device) -> Draws:
    """Draw order, crops and flips of one epoch for n images."""
    # Drawn on the CPU: a run has the same draws on every device.
    order = torch.randperm(n, generator=stream(seed, "order", epoch))
    crop = stream(seed, "crop", epoch)
    offset = torch.randint(0, 2 * recipe.pad + 1, (n, 2), generator=crop)
    if recipe.flip == "none":
        flip = torch.zeros(n, dtype=torch.bool)
    else:
        flip = torch.rand(n, generator=stream(seed, "flip", epoch)) < 0.5
    return Draws(order.to(device), offset.to(device), flip.to(device))


class Normaliser:
    """Raw images (B, C, H, W) to normalised floats, with the training set's statistics.

    Images are uint8 or float32, here as in all of this module.
    """

    def __init__(self, images: Tensor, kind: str) -> None:
        """Take the population mean and standard deviation of each channel of `images`."""
        self.per_image = kind == "image"
        # A grey level is 1 in bytes, and may be anything in floats.
        self.least = 1e-6 if images.is_floating_point() else 1.0
        deviation, mean = _moments(images)
        self.mean = mean.view(1, -1, 1, 1)
        self.scale = 1 / deviation.view(1, -1, 1, 1)

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise images (B, C, H, W)."""
        least = self.least if self.per_image else None
        return normalised(images, self.mean, self.scale, least)


def normalised(images: Tensor, mean: Tensor, scale: Tensor, least: float | None) -> Tensor:
    """Normalise images (B, C, H, W) by each channel's mean and 1 / deviation, (1, C, 1, 1).

    `least`: an image is normalised by its own mean and deviation instead, which counts as at least
    this; None: it is not.
    """
    if least is None:
        # The difference of uint8 and float32 is float32: no copy of the images is made for it.
        return torch.sub(images, mean).mul_(scale)
    values = images.float()
    return standardise(values, values, least)


def _moments(images: Tensor) -> tuple[Tensor, Tensor]:
    if images.is_floating_point():
        pairs = [torch.std_mean(one.double(), correction=0) for one in images.unbind(1)]
        deviation, mean = (torch.stack(values).float() for values in zip(*pairs, strict=True))
        return deviation.clamp_min(1e-6), mean
    # A histogram gives exact sums of uint8 values without a float copy of the data set.
    levels = torch.arange(256, dtype=torch.float64, device=images.device)
    counts = torch.stack(
        [torch.bincount(channel.reshape(-1), minlength=256) for channel in images.unbind(1)]
    ).double()
    total = counts.sum(1)
    mean = counts @ levels / total
    variance = counts @ levels.square() / total - mean.square()
    # A channel of one value would be divided by 0.
    return variance.sqrt().clamp_min(1e-3).float(), mean.float()


def standardise(values: Tensor, reference: Tensor, least: float = 1.0) -> Tensor:
    """Give each image (B, C, H, W) the mean 0 and deviation 1 that its reference has.

    A deviation below `least` counts as that: an image of one grey level would be divided by 0.
    """
    deviation, mean = torch.std_mean(reference, dim=(1, 2, 3), correction=0, keepdim=True)
    return (values - mean) / deviation.clamp_min(least)


class Augmentation:
    """Training images (N, C, H, W), padded once; batches are windows of them."""

    def __init__(self, images: Tensor, recipe: Recipe, normalise: Normaliser) -> None:
        self.recipe = recipe
        self.normalise = normalise
        self.size = images.shape[-2:]
        pad = recipe.pad
        self.padded = F.pad(images, (pad, pad, pad, pad))
        self.crops = _windows(self.padded, self.size)
        # A factor of 0 on the border makes it the mean, which is 0 after normalising.
        inside = F.pad(torch.ones_like(images[:1, :1]), (pad, pad, pad, pad))
        self.inside = _windows(inside, self.size)[0]

    def batch(
        self,
        chosen: Tensor,
        draws: Draws,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> Tensor:
        """Return the augmented, normalised images `chosen` (B,) as (B, C, H, W) floats."""
        if self.normalise.per_image or not windows.can_cut(self.padded):
            return self._batch(chosen, draws).contiguous(memory_format=memory_format)
        return windows.cut(
            self.padded,
            chosen,
            draws.offset,
            draws.flip,
            (self.normalise.mean, self.normalise.scale),
            pad=self.recipe.pad,
            flip=self.recipe.flip,
            mean_border=not self.recipe.pad_before_normalising,
            memory_format=memory_format,
        )

    def _batch(self, chosen: Tensor, draws: Draws) -> Tensor:
        row, column = draws.offset[chosen].unbind(1)
        images = self._mirror(self.crops[chosen, :, row, column], draws.flip[chosen])
        if self.recipe.pad_before_normalising or self.recipe.pad == 0:
            return self.normalise(images)
        inside = self._mirror(self.inside[:, row, column].transpose(0, 1), draws.flip[chosen])
        return self._normalise_inside(images, chosen) * inside

    def _normalise_inside(self, images: Tensor, chosen: Tensor) -> Tensor:
        if not self.normalise.per_image:
            return self.normalise(images)
        pad, (height, width) = self.recipe.pad, self.size
        whole = self.padded[chosen, :, pad : pad + height, pad : pad + width]
        return standardise(images.float(), whole.float(), self.normalise.least)

    def _mirror(self, images: Tensor, flip: Tensor) -> Tensor:
        if self.recipe.flip == "none":
            return images
        axis = -1 if self.recipe.flip == "left_right" else -2
        if images.is_floating_point():
            return torch.where(flip.view(-1, 1, 1, 1), images.flip(axis), images)
        # Chooses the bits of one image or the other, in a third of the time of `where` on bytes.
        bits = flip.to(torch.uint8).neg().view(-1, 1, 1, 1)
        return images.flip(axis).bitwise_xor_(images).bitwise_and_(bits).bitwise_xor_(images)


def _windows(padded: Tensor, size: torch.Size) -> Tensor:
    # The view (N, C, rows, columns, H, W) has every crop; only a batch is copied.
    return padded.unfold(2, size[0], 1).unfold(3, size[1], 1)
