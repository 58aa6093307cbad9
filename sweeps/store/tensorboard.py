"""Writes the epochs of a run as TensorBoard event files too; the tables have them in any case."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sweeps.extras import optional
from trainers import EpochRecord

SKIPPED = ("epoch", "nonfinite_count", "memory_megabytes", "largest_input_layer")


class RunEvents:
    """Writes one run's epochs into a folder of the run's own."""

    def __init__(self, folder: Path, trial: int, seed: int) -> None:
        package = optional("tensorboardX", "tensorboard", "--tensorboard")
        self._writer = package.SummaryWriter(str(folder / f"trial-{trial:04d}-seed-{seed}"))

    def __call__(self, epoch: EpochRecord) -> None:
        """Write each number of an epoch as a scalar."""
        for name, value in dataclasses.asdict(epoch).items():
            if name not in SKIPPED and value is not None:
                self._writer.add_scalar(name, value, epoch.epoch)

    def close(self) -> None:
        """Write the buffered epochs and close the file."""
        self._writer.close()
