"""The sections `network` and `activation` of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from trainers.bounds import check_reference
from trainers.networks.registry import NETWORKS

OptionValue = bool | int | float | str
Pooling = Literal["max", "average"]
Residual = Literal["add_then_act", "act_then_add", "pre_act"]
Shortcut = Literal["pad", "projection"]
Scope = Literal["layer", "channel", "neuron"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True)
class ActivationConfig:
    """One activation for the whole network, as `polyneuron.make_activation` takes it."""

    name: str = "polyneuron_r"
    """Name of the activation function."""
    scope: Scope = "layer"
    """Activations share one function a layer, a channel or a neuron. One a layer by default: one
    curve a panel in Fig. 1, and a λ_sum that matters."""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    """Keyword arguments of the activation's constructor: `s`, `k`, `init`, ..."""


@dataclass(frozen=True)
class NetworkConfig:
    """A network: one of ours, with the choices that the paper left open, or any other."""

    name: str = "lenet5"
    """Name of the network; or a function of one's own that builds one, as `module:function`; or one
    of torchvision's, as `torchvision:resnet18`."""
    pooling: Pooling = "max"
    """LeNet-5's subsampling; the paper does not say, max is today's usual reading."""
    pad_first_convolution: bool = True
    """LeNet-5: pad 28x28 images by 2, as LeCun's 32x32 input does (61,706 parameters)."""
    residual: Residual = "add_then_act"
    """ResNet-20. `add_then_act`: a block's last activation receives the sum with the shortcut, as
    the authors of ResNet have it. That sum is not normalised and grows from block to block: the
    cubic tails of PolyNeuron-R diverge on it within a few steps at the paper's rate.
    `act_then_add`: the activation receives normalised values, and is added to the shortcut.
    `pre_act`: batch norm and activation come before each convolution (He et al. 2016), so that
    every activation receives normalised values, and a last one follows the last block."""
    shortcut: Shortcut = "pad"
    """ResNet-20. `pad`: a shortcut to more channels subsamples and fills up with zeros, option A of
    the ResNet paper, without parameters. `projection`: a 1x1 convolution is the shortcut in the
    first block of each stage, as in TensorFlow's official ResNet of 2018."""
    weight_init: Literal["he_normal", "torch", "own"] = "he_normal"
    """The paper says "random". `he_normal`: zero biases, as the ResNet paper draws its weights.
    `own`: as the network's own code draws them, for one that is not ours."""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    """Keyword arguments of a network that is not ours: `width`, ..."""
    replace: tuple[str, ...] = ()
    """Activation functions, as `ReLU`, in whose place ours are put, of a network that takes
    none."""
    code: str = ""
    """Hash of the modules of one's own that `module:function` reaches; filled in when a
    specification is read."""

    def __post_init__(self) -> None:
        check_reference(self.name, NETWORKS)
