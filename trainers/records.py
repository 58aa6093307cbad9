"""Records that a training reports: plain frozen values, in the order in which they happen."""

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
    """Mean of |Σw| over all activation functions at the epoch's end, unweighted (eq. 4)."""
    penalty_prod: float
    """Mean of |Σwc| likewise."""
    epoch_seconds: float
    """Time of training and validation together."""
    train_seconds: float
    memory_megabytes: float
    """Peak so far: allocated on a GPU, resident on a CPU."""
    nonfinite_count: int
    """Number of the epoch's steps whose loss or gradient was not finite."""
    largest_input: float | None = None
    """Largest |x| that an activation receives on the first validation images, with either kind of
    batch norm's statistics; None in a network without activations."""
    largest_input_layer: str | None = None
    """The layer of that activation."""
    largest_sum_w: float | None = None
    """Largest |Σw| of an activation function; None where no function is penalised."""
    statistics_gap_percent: float | None = None
    """Points of error by which batch norm's running statistics do worse on the first validation
    images than the batch's; None in a network without batch norm."""


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
    """The curve's height at each control point. c_x, c_y and w are empty for other functions."""
    w: tuple[float, ...]
    v0: float | None
    """Slope; None for functions without control points, as v1."""
    v1: float | None
    """Offset."""
    curve_x: tuple[float, ...]
    curve_y: tuple[float, ...]
    input_p01: float
    """1st percentile of the function's inputs on a batch of validation images."""
    input_p99: float
    """99th percentile of them."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a run at a moment."""

    kind: Literal[
        "start", "restore", "checkpoint_damaged", "unstable", "diverged", "out_of_memory", "done"
    ]
    epoch: int
    detail: str = ""


@dataclass(frozen=True)
class RunRecord:
    """The end of a run."""

    status: RunStatus
    epochs_planned: int
    epochs_done: int
    stop_reason: str
    """Empty for a completed run."""
    last_val_error_percent: float | None
    """Error after the last finished epoch; None if no epoch was finished."""
    best_val_error_percent: float | None
    best_epoch: int | None
    parameters: int
    activation_functions: int
    """Number of activation functions in the network: A of eq. 4."""
    data_seconds: float
    """The six times are those of `trainers.seconds.Seconds`."""
    setup_seconds: float
    train_seconds: float
    evaluation_seconds: float
    snapshot_seconds: float
    checkpoint_seconds: float
    images_per_second: float
    """Training alone, over finished epochs."""
    data_sha256: str
    device: str
    tf32: bool
    correct_bits: bytes
    """The last epoch's correct validation images: `numpy.packbits` order, official image order."""
    diverged_step: int | None = None
    """Step, from 1, of epoch `epochs_done + 1` in which a diverged run failed."""
    diverged_layer: str | None = None
    """Layer in which the failure began; empty if that is not known."""


Record = EpochRecord | Snapshot | Event | RunRecord
Reporter = Callable[[Record], None]
"""Takes each record; it may raise RunStopped."""


class RunStopped(Exception):  # noqa: N818 - a request, not an error
    """Raised by a reporter to end a run in good order after the epoch just reported."""

    def __init__(self, status: Literal["pruned", "interrupted"], reason: str = "") -> None:
        super().__init__(reason or status)
        self.status: Literal["pruned", "interrupted"] = status
        self.reason = reason
