"""What a run is: frozen values, hashed into the identity under which its results are stored."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

OptionValue = bool | int | float | str
Scope = Literal["layer", "channel", "neuron"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


def _require(sound: bool, config: object, name: str, expected: str) -> None:
    if not sound:
        raise ValueError(f"{name}: expected {expected}; got {getattr(config, name)!r}")


@dataclass(frozen=True)
class ActivationConfig:
    """One activation for the whole network, as `polyneuron.make_activation` takes it."""

    name: str = "polyneuron_r"
    scope: Scope = "layer"
    """One function a layer by default: one curve a panel in Fig. 1, and a λ_sum that matters."""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    """Keyword arguments of the activation's constructor: `s`, `k`, `init`, ..."""


@dataclass(frozen=True)
class NetworkConfig:
    """One of the paper's two networks, with the choices that the paper left open."""

    name: Literal["lenet5", "resnet20"] = "lenet5"
    pooling: Literal["max", "average"] = "max"
    """LeNet-5's subsampling; the paper does not say, max is today's usual reading."""
    pad_first_convolution: bool = True
    """LeNet-5: pad 28x28 images by 2, as LeCun's 32x32 input does (61,706 parameters)."""
    residual: Literal["add_then_act", "act_then_add"] = "add_then_act"
    """ResNet-20: whether a block's last activation receives the sum, as its authors have it, or
    is added to the shortcut. The bare sum is not normalised and grows from block to block: the
    cubic tails of PolyNeuron-R there diverge within a few steps at the paper's rate."""
    weight_init: Literal["he_normal", "torch"] = "he_normal"
    """The paper says "random". `he_normal`: zero biases, as the ResNet paper draws its weights."""


@dataclass(frozen=True)
class DataConfig:
    """Which images to train on and which to validate on."""

    name: Literal["mnist", "cifar10", "digits"] = "mnist"
    validation: Literal["test", "held_out"] = "test"
    """`test`: the official test set, all training images in use, as Table 1's "validation" is
    read. `held_out`: part of the training set, so that a search does not select on the test
    set."""
    held_out_images: int = 5000
    """Size of the held-out part; unused with `validation="test"`."""
    train_images: int | None = None
    """Train on the first so many images of a fixed shuffle; None: all."""

    def __post_init__(self) -> None:
        _require(self.held_out_images >= 1, self, "held_out_images", "at least 1")
        _require(
            self.train_images is None or self.train_images >= 1, self, "train_images", "at least 1"
        )


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Defaults: the paper's recipe for LeNet-5 (§3).

    The paper leaves much open. Each choice is a field here that says why its default is so; the
    data's are in `DataConfig`, the network's in `NetworkConfig`. The last and the best epoch's
    error are both recorded: Table 1 is read as the last, which no test set selected.
    """

    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 1e-3
    drop_at: tuple[float, ...] = (20 / 30, 25 / 30)
    """Fractions of `epochs` after which the rate is multiplied by `drop_factor`."""
    drop_factor: float = 0.1
    weight_decay: float = 1e-4
    """λ of a gradient λ·θ. Keras' `l2(1e-4)` has a gradient twice that: 2e-4 here."""
    decay: Literal["coupled", "decoupled"] = "coupled"
    """`coupled`: L2 added to the gradient, as Adam's authors and the paper's year have it.
    `decoupled`: AdamW."""
    decay_on: Literal["all", "weights"] = "all"
    """`all`: every parameter outside the activations, the only exception that the paper makes.
    `weights`: no biases, no batch norm."""
    betas: tuple[float, float] = (0.9, 0.999)
    """With `epsilon`, Adam's published defaults: the paper names no others."""
    epsilon: float = 1e-8
    activation_learning_rate: float | None = None
    """A rate of their own for activation parameters; None: the network's, as no other is named."""
    pad: int = 4
    pad_before_normalising: bool = True
    """True: the border is raw 0, so not 0 after normalising: the order in which the paper lists
    the steps. False: the border is the mean."""
    flip: Literal["left_right", "up_down", "none"] = "left_right"
    """"Along the vertical axis" is read as the mirror image that is usual for CIFAR-10. MNIST is
    flipped too ("each dataset"), which fits the paper's high error of 2.03 %."""
    normalise: Literal["dataset", "image"] = "dataset"
    """`dataset`: mean and deviation of each channel over the training images, the usual way.
    `image`: of each image."""
    drop_last: bool = False
    """Whether an epoch leaves out its last, smaller batch. Kept by default: an epoch is all
    images."""
    lambda_sum: float = 1e-2
    lambda_prod: float = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, self, "epochs", "at least 1")
        _require(self.batch_size >= 1, self, "batch_size", "at least 1")
        _require(self.pad >= 0, self, "pad", "at least 0")
        inside = all(0 < fraction < 1 for fraction in self.drop_at)
        _require(inside, self, "drop_at", "fractions of the epochs between 0 and 1")
        _require(all(0 <= beta < 1 for beta in self.betas), self, "betas", "two numbers in [0, 1)")
        for name in ("learning_rate", "drop_factor", "epsilon"):
            _require(0 < getattr(self, name) < math.inf, self, name, "a finite number above 0")
        rate = self.activation_learning_rate
        _require(
            rate is None or 0 < rate < math.inf, self, "activation_learning_rate", "a rate above 0"
        )
        for name in ("weight_decay", "lambda_sum", "lambda_prod"):
            _require(0 <= getattr(self, name) < math.inf, self, name, "finite, at least 0")


@dataclass(frozen=True)
class Execution:
    """Where and how a run is executed. Not part of its identity."""

    device: str = "cpu"
    threads: int | None = None
    data_root: Path | None = None
    """None: the environment's SWEEPS_DATA, else ~/.cache/polyneuron-sweeps."""
    checkpoint_folder: Path | None = None
    """None: no checkpoints."""
    checkpoint_every: int = 1
    snapshots: bool = True
    deterministic: bool = False
    channels_last: bool = True

    def __post_init__(self) -> None:
        _require(self.checkpoint_every >= 1, self, "checkpoint_every", "at least 1")
        _require(self.threads is None or self.threads >= 1, self, "threads", "at least 1")


RECIPES: Mapping[str, Recipe] = {
    "lenet5": Recipe(),
    "resnet20": Recipe(epochs=500, drop_at=(0.5,)),
}
"""The paper's recipe for each network (§3)."""


@dataclass(frozen=True)
class Configuration:
    """One configuration: all that decides a result but the seed."""

    activation: ActivationConfig = ActivationConfig()
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    recipe: Recipe = Recipe()

    @cached_property
    def config_id(self) -> str:
        """Sixteen hex digits that identify the configuration."""
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def identity(self) -> dict[str, Any]:
        """Return the configuration as plain JSON values."""
        names = [field.name for field in dataclasses.fields(Configuration)]
        return {name: dataclasses.asdict(getattr(self, name)) for name in names}


@dataclass(frozen=True)
class RunConfig(Configuration):
    """One run: a configuration, a seed, and where it is executed."""

    seed: int = 0
    execution: Execution = Execution()

    @classmethod
    def of(
        cls, configuration: Configuration, seed: int, execution: Execution | None = None
    ) -> RunConfig:
        """Return the run of a configuration with a seed."""
        names = [field.name for field in dataclasses.fields(Configuration)]
        parts = {name: getattr(configuration, name) for name in names}
        return cls(**parts, seed=seed, execution=execution or Execution())

    @property
    def run_id(self) -> str:
        """The configuration's id and the seed: `3f0c..9a-s0`."""
        return f"{self.config_id}-s{self.seed}"
