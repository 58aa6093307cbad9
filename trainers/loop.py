"""One run from its configuration to its last record: set up or resume, train epochs, end."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass, replace
from typing import Any

import torch

from polyneuron import JointSolve, activation_modules, penalties
from trainers import devices
from trainers.augment import Augmentation, Normaliser
from trainers.checkpoint import RunFolder, pack_records, unpack_records
from trainers.config import RunConfig
from trainers.data.datasets import Images, class_count, load_configured, split
from trainers.data.sources import data_root
from trainers.divergence import Diverged, locate_singular_system
from trainers.epoch import EpochTotals, train_epoch
from trainers.graph import StepGraph
from trainers.networks.build import build_network
from trainers.networks.registry import NETWORKS, input_side
from trainers.optimizer import load_state, make_optimizer, set_rates
from trainers.outbox import Outbox
from trainers.records import EpochRecord, Event, Record, Reporter, RunRecord, RunStatus, RunStopped
from trainers.remedies import remedies
from trainers.seconds import Seconds
from trainers.seeding import global_stream
from trainers.snapshots import INPUT_IMAGES, Range, input_ranges, snapshot_epochs, take_snapshots
from trainers.stability import (
    OBSERVED_IMAGES,
    Stability,
    as_numbers,
    has_statistics,
    largest_inputs,
    observe,
)
from trainers.step import Objective, Training, precision
from trainers.validation import Validation, validate


def train(config: RunConfig, report: Reporter | None = None, resume: bool = True) -> RunRecord:
    """Train one network from one seed, reporting as it goes.

    Args:
        config: the run; equal configurations and seeds give equal runs, bit for bit, on one
            machine's CPU with one number of threads, and on a GPU with `deterministic`.
        report: called with each record, at least once: after a restart some come again, equal
            but for their seconds and megabytes. It may raise RunStopped.
        resume: True goes on from the last checkpoint, and returns the record of a run that has
            ended; False forgets both.

    Returns:
        The record of the run's end, divergence and lack of memory included. It is also the last
        record reported.

    Raises:
        ValueError: the configuration cannot be run here, or its data are neither here nor to be
            downloaded (`DataUnavailableError`).
    """
    device = devices.resolve_device(config.execution.device)
    folder = _run_folder(config)
    outbox = Outbox(report)
    if folder is not None and not resume:
        folder.clear()
    ended = folder.final() if folder is not None else None
    if ended is not None:
        # The last process may have died before the caller had every record.
        outbox.flush_ended(unpack_records(ended["waiting"]))
        return _only_run_record(unpack_records(ended["record"]))
    with devices.settings(config.execution, device):
        return _Run(config, device, folder, outbox).train()


def _run_folder(config: RunConfig) -> RunFolder | None:
    folder = config.execution.checkpoint_folder
    return None if folder is None else RunFolder(folder / config.run_id)


def _only_run_record(records: list[Record]) -> RunRecord:
    (record,) = records
    assert isinstance(record, RunRecord)
    return record


def load_images(config: RunConfig, device: torch.device) -> Images:
    """Load a run's images onto its device."""
    root, side = data_root(config.execution.data_root), input_side(config.network.name)
    whole = load_configured(config.data, root, side)
    return split(whole, config.data).to(device)


def set_up(config: RunConfig, device: torch.device, images: Images) -> Training:
    """Build network, optimizer, objective and augmentation as they are before the first step."""
    normalise = Normaliser(images.train_images, config.recipe.normalise)
    augmentation = Augmentation(images.train_images, config.recipe, normalise)
    channels, height, width = images.train_images.shape[1:]
    shape, classes = (channels, height, width), class_count(config.data, images)
    net = build_network(config.network, config.activation, shape, classes, config.seed)
    # In one walk over the network's tensors.
    if config.execution.channels_last:
        net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    else:
        net = net.to(device)
    return Training(
        config=config,
        device=device,
        net=net,
        optimizer=make_optimizer(net, config.recipe),
        objective=Objective.of(net, config.recipe),
        joint_solve=JointSolve(net),
        images=images,
        normalise=normalise,
        augmentation=augmentation,
    )


@dataclass
class _Progress:
    """The part of a run's state outside network and optimizer; stored in each checkpoint."""

    epochs_done: int = 0
    last_val_error_percent: float | None = None
    best_val_error_percent: float | None = None
    best_epoch: int | None = None
    correct_bits: str = ""
    train_seconds: float = 0.0
    """Of finished epochs, in which `images` were trained on."""
    images: int = 0
    warned: bool = False
    """An event tells that the network is unstable: one a run is enough."""

    def add(self, record: EpochRecord, validation: Validation, images: int) -> None:
        self.epochs_done = record.epoch
        self.last_val_error_percent = error = record.val_error_percent
        if self.best_val_error_percent is None or error < self.best_val_error_percent:
            self.best_val_error_percent, self.best_epoch = error, record.epoch
        self.correct_bits = validation.correct_bits.hex()
        self.train_seconds += record.train_seconds
        self.images += images


class _Run:
    """A run under way: its training, its progress, its checkpoints and its outbox."""

    def __init__(
        self, config: RunConfig, device: torch.device, folder: RunFolder | None, outbox: Outbox
    ) -> None:
        self.config = config
        self.device = device
        self.folder = folder
        self.outbox = outbox
        self.progress = _Progress()
        self.training: Training | None = None
        self.seconds = Seconds()
        self.saved_epoch = 0

    def train(self) -> RunRecord:
        epochs = self.config.recipe.epochs
        try:
            with self.seconds.on("data"):
                images = load_images(self.config, self.device)
            with self.seconds.on("setup"):
                self.training = training = set_up(self.config, self.device, images)
                restored = self._restore(training)
            if not restored:
                # Snapshots first, for a reader takes "start" to mean that epoch 0 is complete.
                self.outbox.add(*self._first_snapshots(training), Event("start", 0))
            self.outbox.flush()
            graph = StepGraph.of(training)
            for epoch in range(self.progress.epochs_done + 1, epochs + 1):
                self._epoch(training, epoch, graph)
                if epoch < epochs:  # the last epoch is stored and reported by `_finish`
                    # Stored first: a crash in between reports the epoch twice, and loses none.
                    if epoch % self.config.execution.checkpoint_every == 0:
                        self._save(training)
                    self.outbox.flush()
            return self._finish(training, "completed", "", Event("done", epochs))
        except RunStopped as stop:
            return self._stop(stop)
        except Diverged as diverged:
            epoch = self.progress.epochs_done + 1
            reason = f"epoch {epoch}, {diverged}"
            if diverged.tail:
                reason = f"{reason}; {diverged.tail}{remedies(self.config)}"
            assert self.training is not None
            return self._finish(
                self.training, "diverged", reason, Event("diverged", epoch, reason), diverged
            )
        except (MemoryError, RuntimeError) as error:
            if not devices.is_out_of_memory(error):
                raise
            return self._run_out_of_memory(error)

    def _restore(self, training: Training) -> bool:
        """Go back to the last checkpoint; False: there is none."""
        content, damaged = self.folder.latest() if self.folder is not None else (None, [])
        epoch = 0 if content is None else content["progress"]["epochs_done"]
        self.outbox.add(*(Event("checkpoint_damaged", epoch, word) for word in damaged))
        if content is None:
            return False
        training.net.load_state_dict(content["net"])
        load_state(training.optimizer, content["optimizer"])
        self.progress = _Progress(**content["progress"])
        self.seconds.add(Seconds(**content["seconds"]))
        self.saved_epoch = epoch
        self.outbox.add(Event("restore", epoch), *unpack_records(content["waiting"]))
        return True

    def _epoch(self, training: Training, epoch: int, graph: StepGraph | None) -> None:
        trained, evaluated = self.seconds.train, self.seconds.evaluation
        rate = set_rates(training.optimizer, self.config.recipe, epoch)
        with self.seconds.on("train"), self._draws(epoch):
            totals = train_epoch(training, epoch, graph)
        with self.seconds.on("evaluation"), contextlib.ExitStack() as watch:
            # Snapshots and warnings ask what activations receive: the first batch tells both.
            ranges = watch.enter_context(self._ranges(training, epoch))
            largest = watch.enter_context(largest_inputs(training.net))
            validation = self._validate(training, watch)
        spent = self.seconds.train - trained, self.seconds.evaluation - evaluated
        with self.seconds.on("evaluation"):
            seen = self._observe(training, validation, as_numbers(largest))
        record = self._epoch_record(training, epoch, rate, totals, validation, seen, spent)
        snapshots, warning = self._snapshots(training, epoch, ranges), self._warning(seen, epoch)
        self.outbox.add(*snapshots, *warning, record)
        self.progress.add(record, validation, totals.images)

    def _draws(self, epoch: int) -> contextlib.AbstractContextManager[None]:
        # Networks of ours draw nothing while they train.
        ours = self.config.network.name in NETWORKS
        seed = self.config.seed
        return contextlib.nullcontext() if ours else global_stream(seed, epoch, self.device)

    def _validate(
        self, training: Training, watch: contextlib.AbstractContextManager[object]
    ) -> Validation:
        images = training.images
        with locate_singular_system(training.net):
            return validate(
                training.net,
                images.val_images,
                images.val_labels,
                training.normalise,
                precision(self.config.recipe, self.device),
                watch,
            )

    def _observe(
        self, training: Training, validation: Validation, inputs: dict[str, float]
    ) -> Stability:
        images, normalise = training.images, training.normalise
        first = images.val_images[:OBSERVED_IMAGES], images.val_labels[:OBSERVED_IMAGES]
        with locate_singular_system(training.net):
            return observe(training.net, *first, normalise, (validation, inputs))

    def _warning(self, seen: Stability, epoch: int) -> list[Record]:
        # Not of the start: before the first epoch running statistics are no statistics at all.
        warning = "" if self.progress.warned else seen.warning()
        if not warning:
            return []
        self.progress.warned = True
        return [Event("unstable", epoch, f"{warning}{remedies(self.config)}")]

    def _ranges(
        self, training: Training, epoch: int
    ) -> contextlib.AbstractContextManager[dict[str, Range] | None]:
        """Look at the activations' inputs if a snapshot of the epoch is wanted."""
        if not self.config.execution.snapshots or epoch not in snapshot_epochs(self.config.recipe):
            return contextlib.nullcontext()
        return input_ranges(training.net, lambda: self.seconds.on("snapshot"))

    def _first_snapshots(self, training: Training) -> list[Record]:
        net, images = training.net, training.images.val_images[:INPUT_IMAGES]
        with self._ranges(training, 0) as ranges:
            if ranges is None:
                return []
            with self.seconds.on("snapshot"), locate_singular_system(net), torch.inference_mode():
                net.eval()
                net(training.normalise(images))
        return self._snapshots(training, 0, ranges)

    def _snapshots(
        self, training: Training, epoch: int, ranges: dict[str, Range] | None
    ) -> list[Record]:
        if ranges is None:
            return []
        with self.seconds.on("snapshot"), locate_singular_system(training.net):
            return [*take_snapshots(training.net, epoch, ranges)]

    def _epoch_record(
        self,
        training: Training,
        epoch: int,
        rate: float,
        totals: EpochTotals,
        validation: Validation,
        seen: Stability,
        seconds: tuple[float, float],
    ) -> EpochRecord:
        with torch.no_grad():
            sums, products = penalties(training.net)
        farthest, largest = seen.farthest, seen.largest
        return EpochRecord(
            epoch=epoch,
            learning_rate=rate,
            train_loss=totals.loss,
            val_loss=validation.loss,
            train_error_percent=totals.error_percent,
            val_error_percent=validation.error_percent,
            gradient_norm=totals.gradient_norm,
            penalty_sum=float(sums),
            penalty_prod=float(products),
            epoch_seconds=sum(seconds),
            train_seconds=seconds[0],
            memory_megabytes=devices.peak_megabytes(self.device),
            nonfinite_count=totals.nonfinite_count,
            largest_input=None if farthest is None else largest[farthest],
            largest_input_layer=farthest,
            largest_sum_w=max(seen.sums.values(), default=None),
            statistics_gap_percent=seen.gap_percent if has_statistics(training.net) else None,
        )

    def _save(self, training: Training) -> None:
        if self.folder is None:
            return
        with self.seconds.on("checkpoint"):
            content = {
                "net": training.net.state_dict(),
                "optimizer": training.optimizer.state_dict(),
                "progress": dataclasses.asdict(self.progress),
                "seconds": dataclasses.asdict(self.seconds),
                "waiting": pack_records(self.outbox.unsafe),
            }
            self.folder.save(self.progress.epochs_done, content)
        self.saved_epoch = self.progress.epochs_done

    def _finish(
        self,
        training: Training,
        status: RunStatus,
        reason: str,
        event: Event,
        diverged: Diverged | None = None,
    ) -> RunRecord:
        """End a run for good: trained again, it would end the same way."""
        record = self._run_record(status, reason, diverged)
        self.outbox.add(event, record)
        if self.folder is not None:
            with self.seconds.on("checkpoint"):
                content: dict[str, Any] = {
                    "net": training.net.state_dict(),
                    "record": pack_records([record]),
                    "waiting": pack_records(self.outbox.unsafe),
                }
                self.folder.finish(content)
            # The record as stored cannot have the time of its own writing.
            record = replace(record, checkpoint_seconds=self.seconds.checkpoint)
            self.outbox.waiting[-1] = record
        self.outbox.flush_ended()
        return record

    def _stop(self, stop: RunStopped) -> RunRecord:
        """End a run at its caller's wish; trained again, it goes on from this epoch."""
        # `checkpoint_every` may have passed over the last epoch.
        if self.training is not None and self.saved_epoch < self.progress.epochs_done:
            self._save(self.training)
        record = self._run_record(stop.status, stop.reason)
        self.outbox.flush_ended([record])
        return record

    def _run_out_of_memory(self, error: BaseException) -> RunRecord:
        # No end is stored: with more memory, or on another device, the run can go on.
        batch = self.config.recipe.batch_size
        reason = f"out of memory at batch_size {batch}: {devices.first_line(error)}"
        record = self._run_record("error", reason)
        event = Event("out_of_memory", self.progress.epochs_done + 1, reason)
        self.outbox.flush_ended([event, record])
        return record

    def _run_record(
        self, status: RunStatus, reason: str, diverged: Diverged | None = None
    ) -> RunRecord:
        progress, training, seconds = self.progress, self.training, self.seconds
        # Memory may run out before there is a network.
        net = training.net if training is not None else torch.nn.Identity()
        return RunRecord(
            status=status,
            epochs_planned=self.config.recipe.epochs,
            epochs_done=progress.epochs_done,
            stop_reason=reason,
            last_val_error_percent=progress.last_val_error_percent,
            best_val_error_percent=progress.best_val_error_percent,
            best_epoch=progress.best_epoch,
            parameters=sum(parameter.numel() for parameter in net.parameters()),
            activation_functions=sum(module.functions for _, module in activation_modules(net)),
            data_seconds=seconds.data,
            setup_seconds=seconds.setup,
            train_seconds=seconds.train,
            evaluation_seconds=seconds.evaluation,
            snapshot_seconds=seconds.snapshot,
            checkpoint_seconds=seconds.checkpoint,
            # Without a finished epoch: 0 images in 0 seconds.
            images_per_second=progress.images / max(progress.train_seconds, 1e-9),
            data_sha256=training.images.sha256 if training is not None else "",
            device=devices.device_name(self.device),
            tf32=devices.tf32_allowed(self.device),
            correct_bits=bytes.fromhex(progress.correct_bits),
            diverged_step=diverged.step if diverged is not None else None,
            diverged_layer=diverged.layer if diverged is not None else None,
        )
