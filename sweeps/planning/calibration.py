"""The cost of one kind of run, from some of its steps on this machine.

A processor's own clock is read, not the wall's: another program that takes a core away lengthens
neither. On a GPU, whose work no processor's clock counts, the wall's is read.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from polyneuron import SingularSystemError
from sweeps.planning.storage import checkpoint_bytes, epoch_bytes
from trainers import RunConfig, devices
from trainers.data.datasets import Images
from trainers.epoch import TrainingPass
from trainers.graph import StepGraph
from trainers.loop import set_up
from trainers.recipe import Recipe
from trainers.snapshots import input_ranges, snapshot_epochs, take_snapshots
from trainers.stability import OBSERVED_IMAGES, as_numbers, largest_inputs, observe
from trainers.step import Training, precision
from trainers.validation import BATCH, validate

WARM_UP_STEPS = 4
"""The first steps find memory and choose kernels; a GPU captures its graph in them."""
MOST_STEPS = 40
"""More steps hardly move their quartiles."""
VALIDATED_IMAGES = 8 * BATCH
BESIDE = 1.25
"""By how much a trial may be slower among others, which share memory and caches with it: on two
busy cores, a LeNet-5 run took 1.34 times the processor time that its faster steps alone said, and
1.01 times what this allowance makes of its slower ones."""


@dataclass(frozen=True)
class Cost:
    """The cost of one kind of run: seconds of one core, or of the GPU where it trains on one."""

    start_seconds: float
    """Building network and optimizer."""
    fast_epoch_seconds: float
    """An epoch of training and validation, its steps as the faster ones of the calibration."""
    slow_epoch_seconds: float
    """The same as the slower ones, beside other trials."""
    snapshot_seconds: float
    """One snapshot of all activation functions, which not every epoch has."""
    epoch_bytes: float
    """Of the tables, for an epoch with a snapshot."""
    checkpoint_bytes: float

    def run_seconds(self, recipe: Recipe) -> tuple[float, float]:
        """Return the least and the most seconds to expect of a whole run."""
        fixed = self.start_seconds + self.snapshot_seconds * len(snapshot_epochs(recipe))
        fast, slow = self.fast_epoch_seconds, self.slow_epoch_seconds
        return fixed + recipe.epochs * fast, fixed + recipe.epochs * slow

    def run_bytes(self, recipe: Recipe) -> float:
        """Return the disk space of a whole run."""
        return self.epoch_bytes * recipe.epochs + self.checkpoint_bytes


def calibrate(config: RunConfig, images: Images, seconds: float) -> Cost | None:
    """Train some steps of a run, validate on some images, and weigh what it would write.

    Args:
        config: of the run; its device and threads are those of the calibration.
        images: to train on and to validate on, on the CPU.
        seconds: for the steps, after what is measured once; five steps are taken in any case.

    Returns:
        None where the run fails in these steps, as one that this machine has no memory for.
    """
    device = devices.resolve_device(config.execution.device)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    try:
        with devices.settings(config.execution, device):
            return _measured(config, images.to(device), seconds, clock)
    except SingularSystemError:
        return None
    except (MemoryError, RuntimeError) as error:
        if not devices.is_out_of_memory(error):
            raise
        return None


def _measured(
    config: RunConfig, images: Images, seconds: float, clock: Callable[[], float]
) -> Cost:
    begun = clock()
    training = set_up(config, images.train_images.device, images)
    start = clock() - begun
    fast, slow = _training_seconds(training, seconds, clock)
    validation = _validation_seconds(training, clock)
    net, first = training.net, images.val_images[:OBSERVED_IMAGES]
    begun = clock()
    with input_ranges(net) as ranges, torch.inference_mode():
        net(training.normalise(first))
    snapshots = take_snapshots(net, 1, ranges)
    snapshot = clock() - begun
    return Cost(
        start,
        fast + validation,
        BESIDE * (slow + validation),
        snapshot,
        epoch_bytes(config, snapshots),
        checkpoint_bytes(net),
    )


def _training_seconds(
    training: Training, seconds: float, clock: Callable[[], float]
) -> tuple[float, float]:
    """Return the seconds of an epoch's steps, each as the faster and as the slower ones."""
    training.net.train()
    begun = clock()
    now = TrainingPass(training, 1, StepGraph.of(training))
    draws = clock() - begun
    steps = len(now.batches)
    taken = 0

    def step() -> float:
        nonlocal taken
        begun = clock()
        now.step(taken % steps)
        taken += 1
        devices.synchronize(training.device)
        return clock() - begun

    deadline = time.monotonic() + seconds
    for _ in range(WARM_UP_STEPS):
        step()
    times = [step()]
    while time.monotonic() < deadline and len(times) < MOST_STEPS:
        times.append(step())
    fast, slow = np.percentile(times, [25, 75]).tolist()
    return draws + steps * fast, draws + steps * slow


def _validation_seconds(training: Training, clock: Callable[[], float]) -> float:
    """Return the seconds of a whole validation, and of the look at the activations' inputs."""
    images, labels = training.images.val_images, training.images.val_labels
    n = min(len(images), VALIDATED_IMAGES)
    within = precision(training.config.recipe, training.device)
    net, normalise = training.net, training.normalise
    begun = clock()
    with contextlib.ExitStack() as watch:
        largest = watch.enter_context(largest_inputs(net))
        found = validate(net, images[:n], labels[:n], normalise, within, watch)
    validated = clock() - begun
    begun = clock()
    known = found, as_numbers(largest)
    observe(net, images[:OBSERVED_IMAGES], labels[:OBSERVED_IMAGES], normalise, known)
    return validated * len(images) / n + clock() - begun
