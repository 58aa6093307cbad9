"""What a trainer reports: plain frozen values, in the order in which they happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

RunStatus = Literal["completed", "pruned", "diverged", "error", "interrupted"]


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of one run; epochs count from 1."""

    epoch: int
    learning_rate: float
    train_loss: float
    """Mean cross-entropy over the epoch, penalties not included."""
    val_loss: float
    train_error_percent: float
    val_error_percent: float
    gradient_norm: float
    """Root mean square over the epoch's steps of the gradient's L2 norm."""
    penalty_sum: float
    """mean |Σw| over all activation functions at the epoch's end, unweighted (eq. 4)."""
    penalty_prod: float
    """mean |Σwc| likewise."""
    epoch_seconds: float
    """Training and validation."""
    train_seconds: float
    memory_megabytes: float
    """Peak: allocated on a GPU, resident on a CPU."""
    nonfinite_count: int
    """Steps of the epoch whose loss or gradient was not finite."""


@dataclass(frozen=True)
class Snapshot:
    """One activation function at the end of an epoch; epoch 0 is the start."""

    epoch: int
    layer: str
    """The module's name in the network."""
    function: int
    """Index within the layer: 0, or the channel, or the neuron."""
    c_x: tuple[float, ...]
    c_y: tuple[float, ...]
    """The curve's height at each control point. Empty, as c_x and w, where there are none."""
    w: tuple[float, ...]
    v0: float | None
    v1: float | None
    curve_x: tuple[float, ...]
    curve_y: tuple[float, ...]
    input_p01: float
    """1st percentile of what the function received on a batch of validation images."""
    input_p99: float


@dataclass(frozen=True)
class Event:
    """Something that happened to a run at a moment."""

    kind: Literal["start", "restore", "checkpoint_damaged", "diverged", "out_of_memory", "done"]
    epoch: int
    detail: str = ""


@dataclass(frozen=True)
class RunRecord:
    """How a run ended."""

    status: RunStatus
    epochs_planned: int
    epochs_done: int
    stop_reason: str
    """Empty for a completed run."""
    last_val_error_percent: float | None
    """Error after the last epoch that was finished; None where none was."""
    best_val_error_percent: float | None
    best_epoch: int | None
    parameters: int
    activation_functions: int
    """A of eq. 4: how many activation functions the network has."""
    train_seconds: float
    images_per_second: float
    data_seconds: float
    data_sha256: str
    device: str
    tf32: bool
    correct_bits: bytes
    """The last epoch's correct validation images: `numpy.packbits` order, official image order."""
    diverged_step: int | None = None
    """Step, from 1, of epoch `epochs_done + 1` in which a diverged run failed."""
    diverged_layer: str | None = None
    """The layer in which it began; empty where that is not known."""


Record = EpochRecord | Snapshot | Event | RunRecord
Report = Callable[[Record], None]


class RunStopped(Exception):  # noqa: N818 - a request, not an error
    """Raised by a report callback to end a run in good order after the epoch just reported."""

    def __init__(self, status: Literal["pruned", "interrupted"], reason: str = "") -> None:
        super().__init__(reason or status)
        self.status: Literal["pruned", "interrupted"] = status
        self.reason = reason
