"""The cost of a sweep: from earlier runs, or from a calibration of at most two minutes."""

from __future__ import annotations

import json
import socket
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import analysis
from analysis.store.contract import Row
from analysis.store.errors import StoreError
from sweeps.driver.preparation import Prepared
from sweeps.spec.errors import SpecError
from sweeps.spec.search_space import Params, configure, grid_points
from sweeps.spec.sections import Domain, SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.recorder import RunRecorder
from sweeps.view.overview import rows
from trainers import EpochRecord, Execution, Record, RunConfig, train
from trainers.config import Configuration
from trainers.records import RunStopped

CALIBRATION_IMAGES = 1280
CALIBRATION_SECONDS = 120.0
"""For all configurations together; each trains at least one epoch."""
CALIBRATION_RATE = 1e-6
"""A learning rate at which no run diverges; at the ends of a range many would."""
CALIBRATION_EPOCHS = 3
"""The first epoch warms up, and the faster of the others counts."""


@dataclass(frozen=True)
class Cost:
    """The cost of one run."""

    epoch_seconds: float
    result_bytes_per_epoch: float
    checkpoint_bytes: float


def representative_points(spec: SweepSpec) -> list[Params]:
    """Return a trial for each activation, with both ends of every other domain."""
    points: list[Params] = []
    for end in (0, -1):
        space = {key: _one(domain, end) for key, domain in spec.space.items()}
        if "activation" in spec.space:
            space["activation"] = spec.space["activation"].model_copy(update={"kind": "grid"})
        points += grid_points(spec.model_copy(update={"space": space}))
    return [point for index, point in enumerate(points) if point not in points[:index]]


def costs(prepared: Prepared, root: Path) -> tuple[list[Cost], str]:
    """Return the cost of a run of each representative trial, and where the costs come from.

    Earlier runs on this machine are preferred to a calibration: other trials ran beside them, as
    others will beside these, and a calibration runs alone.

    Raises:
        SpecError: no kind of trial gets through an epoch.
    """
    spec, data_root = prepared.spec, prepared.data_root
    points = representative_points(spec)
    earlier = EarlierRuns(root)
    known = [earlier.cost(configure(spec, point)) for point in points]
    unknown = known.count(None)
    deadline = time.monotonic() + CALIBRATION_SECONDS
    found: list[Cost] = []
    for point, cost in zip(points, known, strict=True):
        if cost is None:
            seconds = (deadline - time.monotonic()) / unknown
            cost, unknown = measure(spec, point, data_root, seconds), unknown - 1
        if cost is not None:
            found.append(cost)
    if not found:
        raise SpecError("every kind of trial diverged in the first epoch of its calibration")
    earlier_ones = len(points) - known.count(None)
    sources = [f"{earlier_ones} from earlier runs"] if earlier_ones else []
    if earlier_ones < len(points):
        sources.append(f"{known.count(None)} from a calibration on {CALIBRATION_IMAGES:,} images")
    return found, f"of {len(points)} kinds of trial, {' and '.join(sources)} on this machine"


class EarlierRuns:
    """Completed runs under a root that were trained on this machine."""

    def __init__(self, root: Path) -> None:
        self._runs: list[Row] = []
        try:
            results = analysis.load(root)
        except StoreError:
            return
        here = results.trials.loc[results.trials["hostname"] == socket.gethostname()]
        runs = results.runs.merge(here[["sweep", "trial"]], on=["sweep", "trial"])
        self._runs = rows(runs[runs["status"] == "completed"])
        self._root = root

    def cost(self, config: Configuration) -> Cost | None:
        """Return the median over runs that do the same work an epoch; None where there is none."""
        alike = [
            run
            for run in self._runs
            if run["epoch_seconds"] and _work(json.loads(run["config_json"])) == _work(config)
        ]
        if not alike:
            return None
        seconds = statistics.median(float(run["epoch_seconds"]) for run in alike)
        paths = SweepPaths(self._root, str(alike[-1]["sweep"]))
        epochs = [r["epochs_done"] for r in self._runs if r["sweep"] == paths.sweep]
        checkpoints = _size(paths.checkpoints) / len(epochs)
        return Cost(seconds, _size(paths.tables) / sum(epochs), checkpoints)


def _work(config: Configuration | Mapping[str, Any]) -> object:
    """Reduce a configuration to the settings on which its time an epoch depends."""
    full = config.canonical() if isinstance(config, Configuration) else config
    recipe = {key: full["recipe"][key] for key in ("batch_size", "precision", "flip", "pad")}
    kept = {key: full[key] for key in ("activation", "network", "data")}
    return json.loads(json.dumps({**kept, "recipe": recipe}))


def measure(spec: SweepSpec, point: Params, data_root: Path, seconds: float) -> Cost | None:
    """Train on some of the images as the sweep would, and weigh the files that remain.

    Returns:
        None where the run diverges in its first epoch.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = SweepPaths(Path(folder), "calibration", tables_at=None)
        config = calibration_config(spec, point, data_root, paths.checkpoints)
        recorder = RunRecorder(paths, 0, config)
        epochs: list[EpochRecord] = []
        started = time.monotonic()

        def report(record: Record) -> None:
            recorder(record)
            if isinstance(record, EpochRecord):
                epochs.append(record)
                if time.monotonic() - started > seconds:
                    raise RunStopped("interrupted", "the calibration has had its time")

        train(config, report=report)
        if not epochs:
            return None
        images = train_image_count(spec, data_root)
        share = images / min(CALIBRATION_IMAGES, images)
        warm = epochs[1:] or epochs
        validation = min(epoch.epoch_seconds - epoch.train_seconds for epoch in warm)
        return Cost(
            share * min(epoch.train_seconds for epoch in warm) + validation,
            _size(paths.tables) / len(epochs),
            _size(paths.checkpoints),
        )


def calibration_config(
    spec: SweepSpec, point: Params, data_root: Path, checkpoints: Path
) -> RunConfig:
    """Shorten a run of the sweep to a few epochs on few images."""
    device = "cuda" if on_gpu(spec) else "cpu"
    threads = max(1, int(spec.resources.cpus))
    execution = Execution(
        device=device, threads=threads, data_root=data_root, checkpoint_folder=checkpoints
    )
    config = RunConfig.of(configure(spec, point), spec.seeds[0], execution)
    images = min(CALIBRATION_IMAGES, spec.data.train_images or CALIBRATION_IMAGES)
    return replace(
        config,
        data=replace(config.data, train_images=images),
        recipe=replace(config.recipe, epochs=CALIBRATION_EPOCHS, learning_rate=CALIBRATION_RATE),
    )


def on_gpu(spec: SweepSpec) -> bool:
    """Return True if a sweep asks for GPUs and this machine has one."""
    if spec.resources.gpus == 0:
        return False
    import torch

    return torch.cuda.is_available()


def run_bytes(spec: SweepSpec, cost: Cost) -> float:
    """Estimate the disk space of one run."""
    return cost.result_bytes_per_epoch * spec.recipe.epochs + cost.checkpoint_bytes


def train_image_count(spec: SweepSpec, data_root: Path) -> int:
    """Count the images of an epoch."""
    from trainers.data.datasets import load_configured, split

    return len(split(load_configured(spec.data, data_root), spec.data).train_labels)


def _one(domain: Domain, end: int) -> Domain:
    return Domain(kind="fixed", values=(domain.values[end],))


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
