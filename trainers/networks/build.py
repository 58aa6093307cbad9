"""From a configuration to a network with its weights drawn."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from polyneuron import make_activation
from trainers.networks import foreign
from trainers.networks.config import ActivationConfig, NetworkConfig
from trainers.networks.record import ActivationFactory, ImageShape
from trainers.networks.registry import NETWORKS
from trainers.references import resolve
from trainers.seeding import stream

Build = Callable[[NetworkConfig, ActivationFactory | None, ImageShape, int], nn.Module]
"""The function that a network's record names: it builds a network that maps images (N, C, H, W)
of a shape to logits (N, classes). Weights may stay as torch draws them: they are drawn again.
Without a factory, the network has activation functions of torch, which are replaced."""


def build_network(
    network: NetworkConfig,
    activation: ActivationConfig,
    image_shape: ImageShape,
    classes: int,
    seed: int,
) -> nn.Module:
    """Build a network for images (C, H, W), its weights and activations drawn from `seed`.

    Raises:
        ValueError: an unknown activation, options that it refuses, or a network of one's own that
            is none for these images and classes.
    """
    known = NETWORKS.get(network.name)
    build: Build = foreign.build if known is None else resolve(known.build)

    def build_with(factory: ActivationFactory | None) -> nn.Module:
        # A constructor draws from torch's global stream, and of our networks we draw again.
        torch.default_generator.manual_seed(stream(seed, "weights").initial_seed())
        return build(network, factory, image_shape, classes)

    with torch.random.fork_rng(devices=[]):
        if network.replace:
            net = build_with(None)
            example = torch.zeros(2, *image_shape)
            foreign.replace(net, network, activation, example, stream(seed, "activation"))
        else:
            net = build_with(_activation_factory(activation, build_with, image_shape, seed))
        if known is None:
            foreign.check(net, network.name, image_shape, classes)
    # From a stream of their own: a seed's weights are the same whatever the activation.
    if network.weight_init != "own":
        _draw_weights(net, network.weight_init, stream(seed, "weights"))
    return net


def _activation_factory(
    config: ActivationConfig,
    build_with: Callable[[ActivationFactory], nn.Module],
    image_shape: ImageShape,
    seed: int,
) -> ActivationFactory:
    generator = stream(seed, "activation")
    shapes = iter(activation_shapes(build_with, image_shape) if config.scope == "neuron" else ())

    def make(channels: int) -> nn.Module:
        size = next(shapes) if config.scope == "neuron" else channels
        return make_activation(
            config.name, channels=size, scope=config.scope, generator=generator, **config.options
        )

    return make


class _ShapeProbe(nn.Module):
    """Stands in for an activation and keeps the shape of its input."""

    def forward(self, x: Tensor) -> Tensor:
        self.shape = tuple(x.shape[1:])
        return x


def activation_shapes(
    build_with: Callable[[ActivationFactory], nn.Module], image_shape: ImageShape
) -> list[tuple[int, ...]]:
    """Return each activation's input shape, (C, H, W) or (C,), in the order of construction."""
    probes: list[_ShapeProbe] = []

    def probe(channels: int) -> nn.Module:
        probes.append(_ShapeProbe())
        return probes[-1]

    # Tensors on the device "meta" have shapes alone: nothing is computed.
    with torch.device("meta"):
        # Two images: batch norm refuses to train on a single value a channel.
        build_with(probe)(torch.empty(2, *image_shape))
    return [probe.shape for probe in probes]


def _draw_weights(net: nn.Module, init: str, generator: torch.Generator) -> None:
    draw = _he_normal if init == "he_normal" else _torch_default
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            draw(module, generator)


def _he_normal(layer: nn.Conv2d | nn.Linear, generator: torch.Generator) -> None:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _torch_default(layer: nn.Conv2d | nn.Linear, generator: torch.Generator) -> None:
    # The draws of torch's reset_parameters, which accepts no generator.
    nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
    if layer.bias is not None:
        bound = 1 / math.sqrt(layer.weight[0].numel())
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
