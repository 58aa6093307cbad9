"""From a configuration to a network with its weights drawn."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from polyneuron import make_activation
from trainers.config import ActivationConfig, NetworkConfig
from trainers.networks.lenet5 import Activation, lenet5
from trainers.networks.resnet20 import resnet20
from trainers.seeding import stream

INPUT_SIDE = {"lenet5": 28, "resnet20": 32}
"""Height and width to which digits are resized; other images keep their own size."""


def build_network(
    network: NetworkConfig,
    activation: ActivationConfig,
    image_shape: tuple[int, int, int],
    classes: int,
    seed: int,
) -> nn.Module:
    """Build a network for images (C, H, W), its weights and activations drawn from `seed`.

    Raises:
        ValueError: an unknown activation, or options that it refuses.
    """

    def build(factory: Activation) -> nn.Module:
        if network.name == "resnet20":
            return resnet20(
                factory,
                in_channels=image_shape[0],
                classes=classes,
                residual=network.residual,
            )
        return lenet5(
            factory,
            in_channels=image_shape[0],
            side=image_shape[1],
            classes=classes,
            pooling=network.pooling,
            pad=network.pad_first_convolution,
        )

    # Constructors draw weights from torch's global stream, only for us to draw them again.
    with torch.random.fork_rng(devices=[]):
        net = build(_activation_factory(activation, build, image_shape, seed))
    _draw_weights(net, network.weight_init, stream(seed, "weights"))
    return net


def _activation_factory(
    config: ActivationConfig,
    build: Callable[[Activation], nn.Module],
    image_shape: tuple[int, int, int],
    seed: int,
) -> Activation:
    generator = stream(seed, "activation")
    shapes = iter(activation_shapes(build, image_shape) if config.scope == "neuron" else ())

    def make(channels: int) -> nn.Module:
        size = next(shapes) if config.scope == "neuron" else channels
        return make_activation(
            config.name, channels=size, scope=config.scope, generator=generator, **config.options
        )

    return make


class _ShapeProbe(nn.Module):
    """Stands where an activation will, and notes the shape of what it receives."""

    def forward(self, x: Tensor) -> Tensor:
        self.shape = tuple(x.shape[1:])
        return x


def activation_shapes(
    build: Callable[[Activation], nn.Module], image_shape: tuple[int, int, int]
) -> list[tuple[int, ...]]:
    """Return (C, H, W) or (C,) at each activation, in the order in which `build` makes them."""
    probes: list[_ShapeProbe] = []

    def probe(channels: int) -> nn.Module:
        probes.append(_ShapeProbe())
        return probes[-1]

    with torch.device("meta"):
        build(probe)(torch.empty(2, *image_shape))
    return [probe.shape for probe in probes]


def _draw_weights(net: nn.Module, init: str, generator: torch.Generator) -> None:
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if init == "he_normal":
                _he_normal(module, generator)
            else:
                _torch_default(module, generator)


def _he_normal(layer: nn.Conv2d | nn.Linear, generator: torch.Generator) -> None:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _torch_default(layer: nn.Conv2d | nn.Linear, generator: torch.Generator) -> None:
    # What torch's own reset_parameters draws, from a generator that it does not accept.
    nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
    if layer.bias is not None:
        bound = 1 / math.sqrt(layer.weight[0].numel())
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
