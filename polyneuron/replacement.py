"""Swap the activation functions of any network for activations of this package.

ReLU has no state, so networks call one module several times (both ReLUs of a ResNet block) or call
a function (`F.relu`). A learned activation has state, so each call gets a layer of its own. The
network is traced, and a module whose code calls one ReLU twice, or ReLU as a function, gets that
code rewritten. Layers of torch that hold an activation function (`nn.TransformerEncoderLayer`) get
another.
"""

from __future__ import annotations

import contextlib
import difflib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from polyneuron.activations import make_activation
from polyneuron.activations.activation import Activation
from polyneuron.channels import input_channels
from polyneuron.initialization import PolyNeuronWarning
from polyneuron.nonlinearities import (
    BY_FUNCTION,
    KINDS,
    OURS,
    calls_elsewhere,
    is_relied_on,
    kind_of_call,
    kind_of_module,
)
from polyneuron.rewriting import Call, Plan, take_hooks, trace
from polyneuron.scope import Channels

if TYPE_CHECKING:
    from jaxtyping import Shaped

REPLACED = ("ReLU", "ReLU6", "Hardswish", "GELU", "SiLU", OURS)
"""Replaced unless told otherwise; the last stands for every activation of this package."""


def replace_activations(
    module: nn.Module,
    name: str,
    scope: str = "layer",
    *,
    of: Sequence[str] = REPLACED,
    example: Shaped[Tensor, "N ..."] | None = None,
    generator: torch.Generator | None = None,
    **options: Any,
) -> nn.Module:
    """Replace every activation function of a network, in place, whether a module or a call.

    >>> network = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.Conv2d(6, 16, 5), nn.ReLU())
    >>> replace_activations(network, "polyneuron_r", scope="channel")[3]
    PolyNeuronR(s=3, k=3, channels=16)

    Classes, methods, attributes and hooks stay. So do `len` and indices of containers, and what
    code reads from a tensor that an activation function has overwritten. Activations of an earlier
    call are replaced like others.

    Args:
        module: a network that torch.fx can trace; its weights and their names stay.
        name: the activation, as for `make_activation`.
        scope: one learned function per "layer", "channel" or "neuron".
        of: names of the classes that are replaced, and with them the functions of the same name
            (`F.relu` for "ReLU"): classes of torch, of this package, or of one's own. A warning
            says which activation functions were left alone.
        example: an input of the network, from which shapes are read. Scope "neuron" needs one;
            "channel" only where the layers before an activation do not tell their number of
            channels.
        generator: source of random starts; None is torch's global one.
        options: those of `activation_options(name)`.

    Returns:
        The network itself; `activation_modules` yields its new activations. For a `module` that is
        itself an activation function, its replacement.

    Raises:
        ValueError: the network has none of these activation functions or cannot be traced or
            rewritten, the channels at one are not known, or a name, scope or option is wrong.
    """
    # A wrong name or option is refused before anything is changed.
    make_activation(name, channels=1, scope=scope, **options)
    of = (of,) if isinstance(of, str) else tuple(of)
    first = next(module.parameters(), torch.zeros(()))
    # Even in a half-precision network, functions compute in float32, with float32 parameters.
    dtype = torch.promote_types(first.dtype, torch.float32)

    def make(channels: Channels) -> Activation:
        made = make_activation(name, channels=channels, scope=scope, generator=generator, **options)
        return made.to(first.device, dtype)

    if kind_of_module(module, of) in of:
        return make(tuple(example.shape[1:]) if example is not None else None)
    found = _Search(module, of, scope, example)
    if not found.calls and not found.held:
        raise ValueError(_nothing_found(module, of, found.others))
    # All of them before any is put in its place: an error leaves the network as it was.
    plans = [
        Plan(module.get_submodule(path), of, calls, make) for path, calls in found.calls.items()
    ]
    for plan in plans:
        plan.carry_out()
    for owner, attribute in found.held:
        _give(owner, attribute, make(None))
    _say_what_is_left(module, of, found.others, [plan for plan in plans if plan.rewritten])
    return module


class _Search:
    """The activation functions of a network.

    Attributes:
        calls: of the named kinds, by the path of the module whose code makes them.
        held: layers of torch, and their attribute with an activation function of these kinds.
        others: of other kinds: how many calls.
    """

    def __init__(
        self, module: nn.Module, of: tuple[str, ...], scope: str, example: Tensor | None
    ) -> None:
        self.calls: dict[str, list[Call]] = {}
        self.held: list[tuple[nn.Module, str]] = []
        self.others: Counter[str] = Counter()
        self._look_into_layers(module, of, scope)
        if _is_layer(module):
            return
        # Some networks have branches that run in training alone.
        for training in (False, True):
            with _mode(module, training):
                graph = trace(module, _Whole(of))
            if example is not None:
                _propagate_shapes(module, graph, example)
            self._look_into_graph(module, graph, of, scope)

    def _look_into_layers(self, module: nn.Module, of: tuple[str, ...], scope: str) -> None:
        for path, layer in module.named_modules():
            if not _is_layer(layer) or kind_of_module(layer, of) is not None:
                continue
            for attribute, kind in _held(layer, of):
                if kind not in of:
                    self.others[kind] += 1
                elif scope != "layer":
                    raise ValueError(
                        f"scope {scope!r}: the {kind} inside {path or 'this'}"
                        f" ({type(layer).__name__}) can be one function a layer only; pass"
                        " scope='layer'"
                    )
                else:
                    self.held.append((layer, attribute))

    def _look_into_graph(
        self, module: nn.Module, graph: fx.Graph, of: tuple[str, ...], scope: str
    ) -> None:
        calls: dict[str, list[Call]] = {}
        others: Counter[str] = Counter()
        for node in graph.nodes:
            kind = kind_of_call(node, module, of)
            if kind is None:
                continue
            if kind not in of:
                others[kind] += 1
                continue
            stack = [path for path, _ in node.meta.get("nn_module_stack", {}).values()]
            owner = (["", *stack][:-1] if node.op == "call_module" else ["", *stack])[-1]
            channels = None if scope == "layer" else input_channels(node, module, scope)
            calls.setdefault(owner, []).append(Call(channels, is_relied_on(node, module)))
        for owner, here in calls.items():
            if len(here) >= len(self.calls.get(owner, [])):
                self.calls[owner] = here
        self.others |= others


class _Whole(fx.Tracer):
    """A tracer that looks into everything but layers of torch and activation functions."""

    def __init__(self, of: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._of = of

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return True for layers of torch, and for activation functions."""
        return _is_layer(m) or kind_of_module(m, self._of) is not None


def _is_layer(module: nn.Module) -> bool:
    """Return True for what torch computes by code of its own, also under a user's class."""
    code = type(module).forward
    return code is not nn.Sequential.forward and code.__module__.startswith(
        ("torch.nn", "torch.ao")
    )


def _held(layer: nn.Module, of: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the attributes of a layer that are activation functions, and their names."""
    for attribute, value in [*vars(layer).items(), *layer._modules.items()]:
        kind = None
        if isinstance(value, nn.Module):
            kind = kind_of_module(value, of)
        elif callable(value) and getattr(value, "__hash__", None) is not None:
            kind = BY_FUNCTION.get(value)
        if kind is not None:
            yield attribute, kind


def _give(layer: nn.Module, attribute: str, activation: Activation) -> None:
    before = getattr(layer, attribute)
    if isinstance(before, nn.Module):
        take_hooks(activation, before)
    setattr(layer, attribute, activation.train(layer.training))
    # In evaluation, torch computes whole encoder layers by this mark, and not by the attribute.
    if hasattr(layer, "activation_relu_or_gelu"):
        layer.activation_relu_or_gelu = 0  # type: ignore[assignment]


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


def _nothing_found(module: nn.Module, of: tuple[str, ...], others: Counter[str]) -> str:
    network = type(module).__name__
    if others:
        return (
            f"{network} calls none of {', '.join(of)}; it calls {_counted(others)}: name it in of="
        )
    for name in of:
        if name not in (*KINDS, OURS):
            close = difflib.get_close_matches(name, KINDS, n=1, cutoff=0.0)[0]
            return f"{network} calls no {name}; did you mean {close!r}?"
    return f"{network} calls no {', '.join(name for name in of if name != OURS)}"


def _say_what_is_left(
    module: nn.Module, of: tuple[str, ...], others: Counter[str], rewritten: list[Plan]
) -> None:
    left = []
    if others:
        left.append(_counted(others))
    for path, child in module.named_modules():
        kind = kind_of_module(child, of)
        if kind in of and not isinstance(child, Activation):
            left.append(f"{kind} at {path}, which forward does not call")
    names = {function.__name__ for kind in of for function in KINDS.get(kind, ())}
    classes = {type(plan.owner).rewritten_from for plan in rewritten}  # type: ignore[attr-defined]
    for kind in sorted(classes, key=str):
        for name in calls_elsewhere(kind, names):
            left.append(f"calls in {kind.__name__}.{name}, where forward is not what calls it")
    if left:
        warnings.warn(f"left as they were: {'; '.join(left)}", PolyNeuronWarning, stacklevel=3)


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
