"""The number of channels at a place of a network, read from the layers before it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import cast

import torch
from torch import fx, nn
from torch.nn import functional as F

from polyneuron.activations.activation import Activation
from polyneuron.nonlinearities import KINDS, input_of, kind_of_call
from polyneuron.scope import Channels

CHANNELS_OF = {
    "Conv": "out_channels",
    "BatchNorm": "num_features",
    "InstanceNorm": "num_features",
    "GroupNorm": "num_channels",
    "Linear": "out_features",
}
"""A layer's attribute with the channels of its output, by how the name of its class starts."""

CHANNEL_KEEPING = (
    *("Dropout", "MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "Identity"),
    *KINDS,
)
"""Beginnings of the names of layers whose output has the channels of their input."""

ELEMENTWISE = (
    *(operator.add, operator.iadd, operator.sub, operator.mul, operator.truediv),
    *(torch.add, torch.sub, torch.mul, F.dropout),
)


def input_channels(node: fx.Node, module: nn.Module, scope: str) -> Channels:
    """Return the channels, or the sample's shape, at the input of an activation function.

    Args:
        node: its call in the network's graph.
        module: the network.
        scope: "channel" or "neuron".

    Raises:
        ValueError: the layers before do not tell them, and no example gave shapes.
    """
    source = input_of(node)
    if "tensor_meta" in source.meta:
        return tuple(source.meta["tensor_meta"].shape[1:])
    channels = _output_channels(source, module) if scope == "channel" else None
    if channels is None:
        raise ValueError(
            f"scope {scope!r}: the input of the {kind_of_call(node, module)} call {node.name!r} has"
            " no known shape; pass example=, an input of the network"
        )
    return channels


def _output_channels(node: fx.Node, module: nn.Module) -> int | None:
    """Return the channels of a node's output; None if the layers before it do not tell them."""
    if node.op == "call_module":
        layer = module.get_submodule(str(node.target))
        kind = type(layer).__name__
        for prefix, attribute in CHANNELS_OF.items():
            if kind.startswith(prefix):
                return int(getattr(layer, attribute))
        keeps = kind.startswith(CHANNEL_KEEPING) or isinstance(layer, Activation)
    else:
        keeps = node.target in ELEMENTWISE or kind_of_call(node, module) is not None
    if node.target is torch.cat and (node.args[1:] or (node.kwargs.get("dim"),)) == (1,):
        joined = cast(Sequence[fx.Node], node.args[0] if node.args else node.kwargs["tensors"])
        parts = [_output_channels(part, module) for part in joined]
        return None if None in parts else sum(part for part in parts if part is not None)
    inputs = node.all_input_nodes  # of `2 * x` the one that is computed
    return _output_channels(inputs[0], module) if keeps and inputs else None
