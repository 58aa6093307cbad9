"""Train one network with one activation function: the paper's recipe, one run = one seed."""

from typing import TYPE_CHECKING, Any

from trainers.canonical import IDENTITY_VERSION
from trainers.config import (
    ActivationConfig,
    Configuration,
    DataConfig,
    Execution,
    NetworkConfig,
    Recipe,
    RunConfig,
)
from trainers.data.sources import DataUnavailableError
from trainers.records import (
    EpochRecord,
    Event,
    Record,
    Reporter,
    RunRecord,
    RunStatus,
    RunStopped,
    Snapshot,
)

if TYPE_CHECKING:
    from trainers.loop import train

__all__ = [
    "IDENTITY_VERSION",
    "ActivationConfig",
    "Configuration",
    "DataConfig",
    "DataUnavailableError",
    "EpochRecord",
    "Event",
    "Execution",
    "NetworkConfig",
    "Recipe",
    "Record",
    "Reporter",
    "RunConfig",
    "RunRecord",
    "RunStatus",
    "RunStopped",
    "Snapshot",
    "train",
]


def __getattr__(name: str) -> Any:
    # Configurations and records are plain values; torch is loaded when training is.
    if name == "train":
        from trainers.loop import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
