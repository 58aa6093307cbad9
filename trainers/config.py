"""A run's configuration: frozen values, hashed into the id under which its results are stored."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from trainers.bounds import Count, check_bounds
from trainers.canonical import Form, canonical, config_id
from trainers.data.config import DataConfig
from trainers.networks.config import SCOPES, ActivationConfig, NetworkConfig, OptionValue, Scope
from trainers.recipe import Recipe

__all__ = [
    "SCOPES",
    "ActivationConfig",
    "Configuration",
    "DataConfig",
    "Execution",
    "NetworkConfig",
    "OptionValue",
    "Recipe",
    "RunConfig",
    "Scope",
]


@dataclass(frozen=True)
class Execution:
    """Where and how a run is executed. Not part of its identity."""

    device: str = "cpu"
    threads: Count | None = None
    data_root: Path | None = None
    """None: the environment's SWEEPS_DATA, else ~/.cache/polyneuron-sweeps."""
    checkpoint_folder: Path | None = None
    """None: no checkpoints."""
    checkpoint_every: Count = 1
    """Epochs from one checkpoint to the next."""
    snapshots: bool = True
    deterministic: bool = False
    """True: torch's deterministic algorithms, with which a GPU repeats a run bit for bit."""
    channels_last: bool = True
    """True: images and weights are in torch's memory format of that name."""

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class Configuration:
    """All that decides a result but the seed: a trial trains one configuration from each seed."""

    activation: ActivationConfig = field(default_factory=ActivationConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    data: DataConfig = field(default_factory=DataConfig)
    recipe: Recipe = field(default_factory=Recipe)

    @cached_property
    def config_id(self) -> str:
        """Sixteen hex digits that are equal for configurations that train alike."""
        return config_id(self.canonical())

    def canonical(self) -> Form:
        """Return the form of the configuration, which `config_id` hashes; it is made once.

        Raises:
            ValueError: an unknown activation.
        """
        return self._form

    @cached_property
    def _form(self) -> Form:
        return canonical(**self.sections())

    def sections(self) -> dict[str, Any]:
        """Return activation, network, data and recipe by their names, of a run too."""
        # Fields of this class alone: seed and execution of a run are no part of what it trains.
        names = (part.name for part in dataclasses.fields(Configuration))
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class RunConfig(Configuration):
    """One run: a configuration, a seed, and where it is executed."""

    seed: int = 0
    execution: Execution = Execution()
    stored_run_id: str | None = None
    """The id of a run that was stored before identities had today's form; None: today's."""

    @classmethod
    def of(
        cls, configuration: Configuration, seed: int, execution: Execution | None = None
    ) -> RunConfig:
        """Return the run of a configuration from a seed."""
        return cls(**configuration.sections(), seed=seed, execution=execution or Execution())

    @property
    def run_id(self) -> str:
        """The configuration's id and the seed, as `3f0c..9a-s0`: the key of what a run leaves."""
        return self.stored_run_id or f"{self.config_id}-s{self.seed}"
