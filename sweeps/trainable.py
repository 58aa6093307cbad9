"""The Ray worker: one trial after another in one process, which imports torch once."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from sweeps.spec_file import parse_spec
from sweeps.store import SweepPaths
from trainers.config import Execution


@dataclass(frozen=True)
class WorkerSettings:
    """What every trial of a sweep shares; it travels to the workers."""

    spec: dict[str, Any]
    root: str
    data_root: str
    device: str
    threads: int


def trainable(config: dict[str, Any], settings: WorkerSettings) -> None:
    """Train one trial of the sweep, reporting each epoch and at last the outcome."""
    begun = time.time()
    from sweeps.trial import train_trial  # torch: once a process, and counted as start time

    spec = parse_spec(settings.spec)
    paths = SweepPaths(Path(settings.root), spec.name)
    execution = Execution(
        device=settings.device,
        threads=settings.threads,
        data_root=Path(settings.data_root),
        checkpoint_folder=paths.checkpoints,
    )
    start_seconds = time.time() - begun
    outcome = train_trial(
        spec,
        paths,
        config["number"],
        config["params"],
        execution,
        lambda index, epoch: tune.report(
            {
                "run": index,
                "epoch": epoch.epoch,
                "val_error_percent": epoch.val_error_percent,
            }
        ),
    )
    tune.report(
        {
            **dataclasses.asdict(outcome),
            "started_at": begun,
            "queue_seconds": begun - config["asked_at"],
            "start_seconds": start_seconds,
        }
    )
