"""Swap the ReLUs of any network for activations of this package.

A ReLU has no state, so networks call one module several times (both ReLUs of a ResNet block) or
call a function (`F.relu`). A learned activation has state, so each call gets a layer of its own.
The network is traced, and a module whose code calls one ReLU twice, or ReLU as a function, gets
that code rewritten.
"""

from __future__ import annotations

import contextlib
import itertools
import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional as F

from polyneuron.activations import make_activation
from polyneuron.activations.activation import Activation
from polyneuron.scope import Channels

if TYPE_CHECKING:
    from jaxtyping import Shaped

RELU_FUNCTIONS = (F.relu, F.relu_, torch.relu, torch.relu_)
RELU_METHODS = ("relu", "relu_")

CHANNELS_OF = {
    "Conv": "out_channels",
    "BatchNorm": "num_features",
    "InstanceNorm": "num_features",
    "GroupNorm": "num_channels",
    "Linear": "out_features",
}
"""A layer's attribute with the channels of its output, by how the name of its class starts."""

CHANNEL_KEEPING = ("Dropout", "MaxPool", "AvgPool", "AdaptiveAvgPool", "Identity", "ReLU")
"""Beginnings of the names of layers whose output has the channels of their input."""

ELEMENTWISE = (operator.add, operator.iadd, operator.mul, torch.add, torch.mul, F.dropout)


def replace_activations(
    module: nn.Module,
    name: str,
    scope: str = "layer",
    *,
    example: Shaped[Tensor, "N ..."] | None = None,
    generator: torch.Generator | None = None,
    **options: Any,
) -> nn.Module:
    """Replace every ReLU call of a network, in place.

    >>> network = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.Conv2d(6, 16, 5), nn.ReLU())
    >>> replace_activations(network, "polyneuron_r", scope="channel")[3]
    PolyNeuronR(s=3, k=3, channels=16)

    Args:
        module: a network that torch.fx can trace; its weights and their names stay.
        name: the activation, as for `make_activation`.
        scope: one learned function per "layer", "channel" or "neuron".
        example: an input of the network, from which shapes are read. Scope "neuron" needs one;
            "channel" only where the layers before a ReLU do not tell their number of channels.
        generator: source of random starts; None is torch's global one.
        options: those of `activation_options(name)`.

    Returns:
        The network itself; `activation_modules` yields its new activations. For a `module` that is
        itself a ReLU, its replacement.

    Raises:
        ValueError: the network has no ReLU or cannot be traced or rewritten, the channels at a ReLU
            are not known, or a name, scope or option is wrong.
    """
    # A wrong name or option is refused before anything is changed.
    make_activation(name, channels=1, scope=scope, **options)
    first = next(module.parameters(), torch.zeros(()))
    # Even in a half-precision network, functions compute in float32, with float32 parameters.
    dtype = torch.promote_types(first.dtype, torch.float32)

    def make(channels: Channels) -> Activation:
        made = make_activation(name, channels=channels, scope=scope, generator=generator, **options)
        return made.to(first.device, dtype)

    if isinstance(module, nn.ReLU):
        return make(tuple(example.shape[1:]) if example is not None else None)
    calls = _relu_calls(module, scope, example)
    if not calls:
        raise ValueError(f"{type(module).__name__} calls no ReLU")
    for path, channels in calls.items():
        _replace_in(module.get_submodule(path), [make(c) for c in channels])
    return module


def _relu_calls(module: nn.Module, scope: str, example: Tensor | None) -> dict[str, list[Channels]]:
    """Return the channels at each ReLU call, by the path of the module whose code makes it."""
    with _mode(module, training=True):  # some networks have branches that run in training alone
        graph = _trace(module, fx.Tracer())
    if example is not None:
        _propagate_shapes(module, graph, example)
    calls: dict[str, list[Channels]] = {}
    for node in _relu_nodes(graph, module):
        stack = [path for path, _ in node.meta.get("nn_module_stack", {}).values()]
        owner = (["", *stack][:-1] if node.op == "call_module" else ["", *stack])[-1]
        channels = None if scope == "layer" else _input_channels(node, module, scope)
        calls.setdefault(owner, []).append(channels)
    return calls


def _replace_in(owner: nn.Module, activations: list[Activation]) -> None:
    """Put activations in the place of the ReLU calls in one module's own code."""
    graph = _trace(owner, _Shallow())
    nodes = list(_relu_nodes(graph, owner))
    targets = {str(node.target) for node in nodes if node.op == "call_module"}
    as_written = len(targets) == len(nodes)
    if not as_written:
        _check_same_code_in_both_modes(owner)
    # A module that runs several times has its calls listed as often: each call of its code gets
    # the activation made for the first run.
    for node, activation in zip(nodes, activations, strict=False):
        path = str(node.target) if node.op == "call_module" else "relu"
        if path in targets:
            targets.remove(path)
        else:
            path = _free_name(owner, path)
        owner.set_submodule(path, activation.train(owner.training))
        if not as_written:
            _call_instead(graph, node, path)
    if not as_written:
        _run_as(owner, graph)


def _call_instead(graph: fx.Graph, node: fx.Node, path: str) -> None:
    with graph.inserting_before(node):
        new = graph.call_module(path, (_input_of(node),))
    node.replace_all_uses_with(new)
    graph.erase_node(node)


def _run_as(owner: nn.Module, graph: fx.Graph) -> None:
    """Make a module run a graph in place of its code.

    The module remains the same object: others hold references to it.
    """
    compiled = fx.GraphModule(owner, graph)
    missing = {k: v for k, v in vars(compiled).items() if k not in vars(owner)}
    owner.__class__ = type(compiled)
    vars(owner).update(missing)
    owner.graph = graph  # type: ignore[assignment]  # the setter compiles it for this object


def _free_name(owner: nn.Module, base: str) -> str:
    parent, _, name = base.rpartition(".")
    holder = owner.get_submodule(parent)
    names = (name if n == 0 else f"{name}_{n}" for n in itertools.count())
    free = next(n for n in names if not hasattr(holder, n))
    return f"{parent}.{free}" if parent else free


class _Shallow(fx.Tracer):
    """A tracer of a module's own code, in which calls of submodules stay calls."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def _trace(module: nn.Module, tracer: fx.Tracer) -> fx.Graph:
    try:
        return tracer.trace(module)
    except Exception as error:  # a network's own code may raise anything on symbolic values
        raise ValueError(
            f"torch.fx cannot trace {type(module).__name__} ({type(error).__name__}: {error});"
            " build the network with make_activation in place of its ReLUs"
        ) from error


def _check_same_code_in_both_modes(owner: nn.Module) -> None:
    training = owner.training
    codes = []
    for mode in (True, False):
        owner.training = mode
        codes.append(_trace(owner, _Shallow()).python_code("self").src)
    owner.training = training
    if codes[0] != codes[1]:
        raise ValueError(
            f"{type(owner).__name__}.forward calls ReLU as a function, or one ReLU twice, and"
            " differs between training and evaluation (F.dropout?), which a rewritten forward"
            " cannot keep; give each call an nn.ReLU (and nn.Dropout) of its own"
        )


def _relu_nodes(graph: fx.Graph, module: nn.Module) -> Iterator[fx.Node]:
    for node in graph.nodes:
        if (
            (node.op == "call_module" and isinstance(module.get_submodule(node.target), nn.ReLU))
            or (node.op == "call_function" and node.target in RELU_FUNCTIONS)
            or (node.op == "call_method" and node.target in RELU_METHODS)
        ):
            yield node


def _input_of(node: fx.Node) -> fx.Node:
    source = node.args[0] if node.args else node.kwargs["input"]
    assert isinstance(source, fx.Node)
    return source


def _propagate_shapes(module: nn.Module, graph: fx.Graph, example: Tensor) -> None:
    # In training, batch normalisation would update its running statistics.
    with _mode(module, training=False), torch.no_grad():
        ShapeProp(fx.GraphModule(module, graph)).propagate(example)


@contextlib.contextmanager
def _mode(module: nn.Module, training: bool) -> Iterator[None]:
    modes = {child: child.training for child in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for child, before in modes.items():
            child.training = before


def _input_channels(node: fx.Node, module: nn.Module, scope: str) -> Channels:
    source = _input_of(node)
    if "tensor_meta" in source.meta:
        return tuple(source.meta["tensor_meta"].shape[1:])
    channels = _output_channels(source, module) if scope == "channel" else None
    if channels is None:
        raise ValueError(
            f"scope {scope!r}: the input of the ReLU call {node.name!r} has no known shape;"
            " pass example=, an input of the network"
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
        keeps = kind.startswith(CHANNEL_KEEPING)
    else:
        keeps = node.target in (*ELEMENTWISE, *RELU_FUNCTIONS, *RELU_METHODS)
    if node.target is torch.cat and (node.args[1:] or (node.kwargs.get("dim"),)) == (1,):
        joined = cast(Sequence[fx.Node], node.args[0] if node.args else node.kwargs["tensors"])
        parts = [_output_channels(part, module) for part in joined]
        return None if None in parts else sum(part for part in parts if part is not None)
    inputs = node.all_input_nodes  # of `2 * x` the one that is computed
    return _output_channels(inputs[0], module) if keeps and inputs else None
