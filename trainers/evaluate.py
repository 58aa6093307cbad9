"""Validation: loss, error and which images are right."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers.augment import Normaliser

BATCH = 250
"""Images at once: more are no faster on a CPU, whose cache they outgrow."""


@dataclass(frozen=True)
class Evaluation:
    """What a network makes of the validation images."""

    loss: float
    """Mean cross-entropy."""
    correct: np.ndarray
    """(n,) bool; an image whose logits are not all finite counts as wrong."""

    @property
    def error_percent(self) -> float:
        """Share of images that are wrong."""
        return 100 * (1 - float(self.correct.mean()))

    @property
    def correct_bits(self) -> bytes:
        """`correct`, eight images a byte."""
        return np.packbits(self.correct).tobytes()


@torch.inference_mode()
def evaluate(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    normalise: Normaliser,
    precision: contextlib.AbstractContextManager[object],
) -> Evaluation:
    """Evaluate on images (N, C, H, W) uint8, never augmented, in their order."""
    net.eval()
    losses, correct = [], []
    with precision:
        for chunk, target in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            logits = net(normalise(chunk)).float()
            losses.append(F.cross_entropy(logits, target, reduction="sum"))
            correct.append((logits.argmax(1) == target) & logits.isfinite().all(1))
    loss = torch.stack(losses).double().sum().item() / len(images)
    return Evaluation(loss, torch.cat(correct).cpu().numpy())
