"""Writes the epochs of a run as TensorBoard event files too; the tables have them in any case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sweeps.extras import optional

SKIPPED = ("epoch", "nonfinite_count", "memory_megabytes", "largest_input_layer")
"""Fields of an epoch's record that are not written."""


class RunEvents:
    """Writes one run's epochs into a folder of the run's own."""

    def __init__(self, folder: Path, trial: int, seed: int) -> None:
        package = optional("tensorboardX", "tensorboard", "--tensorboard")
        self._writer = package.SummaryWriter(str(folder / f"trial-{trial:04d}-seed-{seed}"))

    def __call__(self, epoch: int, numbers: Mapping[str, float | None]) -> None:
        """Write each number of an epoch as a scalar."""
        for name, value in numbers.items():
            if value is not None:
                self._writer.add_scalar(name, value, epoch)

    def close(self) -> None:
        """Write the buffered epochs and close the file."""
        self._writer.close()
