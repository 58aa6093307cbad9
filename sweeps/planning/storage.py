"""The disk space of a run, weighed by writing what it would write into a folder that goes."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from sweeps.store.paths import SweepPaths
from sweeps.store.recorder import RunRecorder
from trainers import EpochRecord, RunConfig, Snapshot

WEIGHED_EPOCHS = 4


def epoch_bytes(config: RunConfig, snapshots: Sequence[Snapshot]) -> float:
    """Return the bytes in the tables of an epoch with these snapshots, before a compaction."""
    with tempfile.TemporaryDirectory() as folder:
        paths = SweepPaths(Path(folder), "calibration", tables_at=None)
        # The last epoch of a run waits for its end: so none of these is the last.
        recipe = replace(config.recipe, epochs=config.recipe.epochs + WEIGHED_EPOCHS)
        recorder = RunRecorder(paths, 0, replace(config, recipe=recipe), fresh=True)
        for epoch in range(1, WEIGHED_EPOCHS + 1):
            for snapshot in snapshots:
                recorder(replace(snapshot, epoch=epoch))
            recorder(_epoch(epoch))
        return size(paths.tables) / WEIGHED_EPOCHS


def checkpoint_bytes(net: nn.Module) -> float:
    """Return the bytes of a run's last file, which keeps the network."""
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    return float(buffer.getbuffer().nbytes)


def size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _epoch(epoch: int) -> EpochRecord:
    return EpochRecord(
        epoch=epoch,
        learning_rate=1e-3,
        train_loss=1 / epoch,
        val_loss=1 / epoch,
        train_error_percent=10 / epoch,
        val_error_percent=10 / epoch,
        gradient_norm=1 / epoch,
        penalty_sum=0.1,
        penalty_prod=0.1,
        epoch_seconds=1.0,
        train_seconds=1.0,
        memory_megabytes=500.0,
        nonfinite_count=0,
    )
