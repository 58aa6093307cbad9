"""What a sweep will cost, from a short calibration on this machine."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sweeps.driver import Prepared
from sweeps.live_view import duration_text
from sweeps.recorder import RunRecorder
from sweeps.search_space import Params, configure, grid, trial_count
from sweeps.spec import Domain, SweepSpec
from sweeps.store import SweepPaths
from trainers import EpochRecord, Execution, Record, RunConfig, train

CALIBRATION_IMAGES = 1280
CALIBRATION_EPOCHS = 3
"""The first one warms up; the fastest of the others counts."""


@dataclass(frozen=True)
class Cost:
    """What one run costs."""

    train_seconds_per_image: float
    validation_seconds: float
    result_bytes_per_epoch: float
    checkpoint_bytes: float


def plan_table(prepared: Prepared) -> RenderableType:
    """Show trials, runs, time and disk of a sweep."""
    spec = prepared.spec
    trials, seeds = trial_count(spec), len(spec.seeds)
    points = representative_points(spec)
    costs = [measure(spec, point, prepared.data_root) for point in points]
    images = train_image_count(spec, prepared.data_root)
    seconds = [run_seconds(spec, cost, images) for cost in costs]
    mean_seconds = sum(seconds) / len(seconds)
    slots = max(1, int((os.cpu_count() or 1) / spec.resources.cpus))
    size = sum(run_bytes(spec, cost) for cost in costs) / len(costs)
    table = Table.grid(padding=(0, 2))
    total = mean_seconds * trials * seeds
    for label, value in (
        ("trials", f"{trials}"),
        ("runs", f"{trials * seeds} ({seeds} seeds a trial)"),
        ("one run", f"{duration_text(min(seconds))} to {duration_text(max(seconds))}"),
        ("device time", duration_text(total)),
        (
            "wall time",
            f"{duration_text(total / slots)} ({slots} at a time)",
        ),
        ("disk", f"{size * trials * seeds / 1e6:.0f} MB"),
    ):
        table.add_row(Text(label, style="bold"), value)
    basis = (
        f"measured on this machine: {len(points)} configurations,"
        f" {CALIBRATION_EPOCHS} epochs of {CALIBRATION_IMAGES} images"
    )
    return Group(table, Text(basis, style="dim"))


def representative_points(spec: SweepSpec) -> list[Params]:
    """Choose a trial for each activation, and both ends of s and k, which set the cost."""
    points: list[Params] = []
    for end in (0, -1):
        space = {key: _one(domain, end) for key, domain in spec.space.items()}
        if "activation" in spec.space:
            space["activation"] = spec.space["activation"].model_copy(update={"kind": "grid"})
        points += grid(spec.model_copy(update={"space": space}))
    return [point for index, point in enumerate(points) if point not in points[:index]]


def measure(spec: SweepSpec, point: Params, data_root: Path) -> Cost:
    """Train a few hundred images as the sweep would, and weigh what that leaves on disk."""
    with tempfile.TemporaryDirectory() as folder:
        paths = SweepPaths(Path(folder), "calibration")
        config = calibration_config(spec, point, data_root, paths.checkpoints)
        recorder = RunRecorder(paths, 0, config)
        epochs: list[EpochRecord] = []

        def report(record: Record) -> None:
            recorder(record)
            if isinstance(record, EpochRecord):
                epochs.append(record)

        train(config, report=report)
        images = min(CALIBRATION_IMAGES, train_image_count(spec, data_root))
        warm = epochs[1:] or epochs
        return Cost(
            min(epoch.train_seconds for epoch in warm) / images,
            min(epoch.epoch_seconds - epoch.train_seconds for epoch in warm),
            _size(paths.tables) / len(epochs),
            _size(paths.checkpoints),
        )


def calibration_config(
    spec: SweepSpec, point: Params, data_root: Path, checkpoints: Path
) -> RunConfig:
    """Shorten a run of the sweep to what a calibration needs."""
    device = "cuda" if spec.resources.gpus > 0 else "cpu"
    threads = max(1, int(spec.resources.cpus))
    execution = Execution(
        device=device, threads=threads, data_root=data_root, checkpoint_folder=checkpoints
    )
    config = configure(spec, point, spec.seeds[0], execution)
    images = min(CALIBRATION_IMAGES, spec.data.train_images or CALIBRATION_IMAGES)
    return replace(
        config,
        data=replace(config.data, train_images=images),
        recipe=replace(config.recipe, epochs=CALIBRATION_EPOCHS),
    )


def run_seconds(spec: SweepSpec, cost: Cost, images: int) -> float:
    """Estimate the time of one run."""
    epoch = cost.train_seconds_per_image * images + cost.validation_seconds
    return epoch * spec.recipe.epochs


def run_bytes(spec: SweepSpec, cost: Cost) -> float:
    """Estimate the disk space of one run."""
    return cost.result_bytes_per_epoch * spec.recipe.epochs + cost.checkpoint_bytes


def train_image_count(spec: SweepSpec, data_root: Path) -> int:
    """Count the images of an epoch."""
    from trainers.datasets import load, split

    return len(split(load(spec.data.name, data_root), spec.data).train_labels)


def _one(domain: Domain, end: int) -> Domain:
    return Domain(kind="fixed", values=(domain.values[end],))


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
