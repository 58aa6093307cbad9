"""The recipe of a training: the paper's, with every choice that the paper left open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from trainers.bounds import Count, Ge, Gt, Lt, NotNegative, Positive, check_bounds

Beta = Annotated[float, Ge(0), Lt(1)]
Fraction = Annotated[float, Gt(0), Lt(1)]


@dataclass(frozen=True)
class Recipe:
    """The recipe of a training. Defaults: the paper's for LeNet-5 (§3).

    The paper leaves much open. Each choice is a field here that says why its default is so; the
    data's are in `DataConfig`, the network's in `NetworkConfig`. The last and the best epoch's
    error are both recorded: Table 1 is read as the last, which no test set selected.
    """

    epochs: Count = 30
    """Passes over the training images."""
    batch_size: Count = 128
    """Images of one training step."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    """`adam`: the paper's. `adamw`: Adam with decoupled decay. `sgd`: gradient descent with
    `momentum`, in torch's form."""
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    """Momentum of `sgd`; 0: none."""
    nesterov: bool = False
    """True: the momentum of `sgd` is Nesterov's."""
    learning_rate: Positive = 1e-3
    """The optimizer's learning rate at the start."""
    schedule: Literal["steps", "cosine"] = "steps"
    """`steps`: the rate drops at each of `drop_at`. `cosine`: it falls from epoch to epoch to
    almost 0 at the end, along half a cosine (Loshchilov and Hutter 2017, without restarts)."""
    warmup_epochs: Annotated[int, Ge(0)] = 0
    """Epochs before the schedule's first in which the rate climbs, in equal steps."""
    drop_at: tuple[Fraction, ...] = (20 / 30, 25 / 30)
    """Fractions of `epochs` after which the rate is multiplied by `drop_factor`; of `steps`."""
    drop_factor: Positive = 0.1
    """The learning rate is multiplied by it at each of `drop_at`."""
    weight_decay: NotNegative = 1e-4
    """λ of a gradient λ·θ. Keras' `l2(1e-4)` has a gradient twice that: 2e-4 here."""
    decay: Literal["coupled", "decoupled"] = "coupled"
    """`coupled`: L2 added to the gradient, as Adam's authors and the paper's year have it.
    `decoupled`: AdamW. Of `adam` alone: `adamw` and `sgd` are one each."""
    decay_on: Literal["all", "weights"] = "all"
    """`all`: every parameter outside the activations, the only exception that the paper makes.
    `weights`: no biases, no batch norm."""
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    """Adam's β₁ and β₂. With `epsilon`, its published defaults: the paper names no others."""
    epsilon: Positive = 1e-8
    """Adam's ε, added to the root of the second moment."""
    activation_learning_rate: Positive | None = None
    """Learning rate of the activations' parameters; None: the network's, as the paper names no
    other."""
    pad: Annotated[int, Ge(0)] = 4
    """Pixels of border that are added before a random crop to the old size. 0: no crop."""
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
    """True: an epoch leaves out its last, smaller batch. False: an epoch is all images."""
    lambda_sum: NotNegative = 1e-2
    """Strength of the penalty on Σw, eq. 4. It acts on `polyneuron_r` alone."""
    lambda_prod: NotNegative = 0.0
    """Strength of the penalty on Σwc, eq. 4. It acts on `polyneuron_r` alone."""
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of a label that is spread evenly over all classes, in training alone."""
    clip_gradient: Positive | None = None
    """Largest L2 norm of the whole gradient, to which a longer one is cut; None: no limit."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """`bfloat16`: the network computes under torch's autocast, its weights stay float32."""

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.nesterov and self.momentum == 0 and self.optimizer == "sgd":
            raise ValueError("nesterov: it needs a momentum above 0; got momentum 0")
