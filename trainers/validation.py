"""Validation: loss, error, and the images that are classified correctly."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers.augment import Normaliser

BATCH = 250
"""Images in one forward pass: more are no faster on a CPU, whose cache they outgrow."""

NOTHING = contextlib.nullcontext()


@dataclass(frozen=True)
class Validation:
    """A network's results on the validation images."""

    loss: float
    """Mean cross-entropy."""
    correct: np.ndarray
    """(n,) bool; an image whose logits are not all finite counts as wrong."""

    @property
    def error_percent(self) -> float:
        """Share of images that are classified wrongly."""
        return 100 * (1 - float(self.correct.mean()))

    @property
    def correct_bits(self) -> bytes:
        """`correct`, eight images a byte."""
        return np.packbits(self.correct).tobytes()


@torch.inference_mode()
def validate(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    normalise: Normaliser,
    precision: contextlib.AbstractContextManager[object],
    watch: contextlib.AbstractContextManager[object] = NOTHING,
) -> Validation:
    """Classify images (N, C, H, W) uint8 in their order, never augmented.

    Args:
        net: left as it is, but for being set to evaluation.
        images: validation images.
        labels: int64 (N,).
        normalise: with the training images' statistics.
        precision: context in which the network computes.
        watch: context of the first batch alone, of up to `BATCH` images.
    """
    net.eval()
    losses: list[Tensor] = []
    correct: list[Tensor] = []
    with precision:
        for chunk, target in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            with watch if not losses else NOTHING:
                logits = net(normalise(chunk)).float()
            losses.append(F.cross_entropy(logits, target, reduction="sum"))
            correct.append((logits.argmax(1) == target) & logits.isfinite().all(1))
    # Summed in float64 on the device, and read once: a read waits for the device.
    loss = torch.stack(losses).double().sum().item() / len(images)
    return Validation(loss, torch.cat(correct).cpu().numpy())
