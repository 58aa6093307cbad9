"""Torch's activation functions, as modules, functions and methods; who else uses their input."""

from __future__ import annotations

import dis
import operator
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from polyneuron.activations.activation import Activation

KINDS: Mapping[str, tuple[Callable[..., Any], ...]] = {
    "ReLU": (F.relu, F.relu_, torch.relu, torch.relu_),
    "ReLU6": (F.relu6,),
    "Hardswish": (F.hardswish,),
    "GELU": (F.gelu,),
    "SiLU": (F.silu,),
    "Mish": (F.mish,),
    "ELU": (F.elu, F.elu_),
    "CELU": (F.celu, F.celu_, torch.celu, torch.celu_),
    "SELU": (F.selu, F.selu_, torch.selu, torch.selu_),
    "PReLU": (F.prelu, torch.prelu),
    "RReLU": (F.rrelu, F.rrelu_, torch.rrelu, torch.rrelu_),
    "LeakyReLU": (F.leaky_relu, F.leaky_relu_),
    "Softplus": (F.softplus,),
    "Softsign": (F.softsign,),
    "Hardtanh": (F.hardtanh, F.hardtanh_),
    "Hardsigmoid": (F.hardsigmoid,),
    "Tanh": (F.tanh, torch.tanh, torch.tanh_),
    "Sigmoid": (F.sigmoid, torch.sigmoid, torch.sigmoid_),
}
"""The functions that compute what a class of `torch.nn` computes, by its name."""

METHODS: Mapping[str, str] = {
    f"{name.lower()}{end}": name for name in ("ReLU", "Tanh", "Sigmoid") for end in ("", "_")
}
"""Classes by the methods of tensors that compute the same."""

BY_FUNCTION = {function: kind for kind, functions in KINDS.items() for function in functions}

OURS = "Activation"
"""Stands for every activation of this package."""

FRESH = (
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.matmul, operator.neg),
    *(torch.add, torch.sub, torch.mul, torch.div, torch.matmul, torch.cat, torch.stack),
    *(torch.bmm, F.linear, F.conv1d, F.conv2d, F.conv3d, F.batch_norm, F.layer_norm),
)
"""Functions whose results are tensors of their own: they share no memory with an argument."""

PASSING = (nn.Identity, nn.Flatten, nn.Unflatten, nn.modules.dropout._DropoutNd)
"""Layers of torch whose result may be their input, or a view of it."""


def kind_of_module(module: nn.Module, of: tuple[str, ...] = ()) -> str | None:
    """Return the name of a module's activation function; None if it is none.

    Args:
        module: any module.
        of: names of further classes that count as activation functions.
    """
    name = type(module).__name__
    if isinstance(module, Activation):
        return name if name in of else OURS
    of_torch = name in KINDS and type(module).__module__.startswith("torch.nn")
    return name if of_torch or name in of else None


def kind_of_call(node: fx.Node, root: nn.Module, of: tuple[str, ...] = ()) -> str | None:
    """Return the name of the activation function that a node of a graph calls, as above."""
    if node.op == "call_module":
        return kind_of_module(root.get_submodule(str(node.target)), of)
    if node.op == "call_method":
        return METHODS.get(str(node.target))
    if node.op == "call_function":
        return BY_FUNCTION.get(node.target)  # type: ignore[arg-type]
    return None


def input_of(node: fx.Node) -> fx.Node:
    """Return the node at whose value an activation function is called."""
    source = node.args[0] if node.args else node.kwargs["input"]
    assert isinstance(source, fx.Node)
    return source


def is_relied_on(node: fx.Node, root: nn.Module) -> bool:
    """Return True if a call overwrites its input, and something may read that afterwards.

    The answer is on the safe side: a function that is not known may return a view of its input.
    The network's own input does not count.
    """
    if not _in_place(node, root):
        return False
    later = set()
    at = node.next
    while at.op != "root":
        later.add(at)
        at = at.next
    seen = {node}
    pending = [input_of(node)]
    while pending:
        one = pending.pop()
        if one in seen:
            continue
        seen.add(one)
        if not later.isdisjoint(set(one.users) - {node}):
            return True
        if one.op != "placeholder" and not _is_fresh(one, root):
            pending.extend(one.all_input_nodes)
        pending.extend(user for user in one.users if not _is_fresh(user, root))
    return False


def _in_place(node: fx.Node, root: nn.Module) -> bool:
    if node.op == "call_module":
        return bool(getattr(root.get_submodule(str(node.target)), "inplace", False))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    # Of the functions with an argument `inplace` all but F.relu and its like take others before.
    asked = bool(node.kwargs.get("inplace", False)) or True in node.args[1:]
    return asked or str(name).endswith("_")


def _is_fresh(node: fx.Node, root: nn.Module) -> bool:
    if node.op == "call_module":
        layer = root.get_submodule(str(node.target))
        if isinstance(layer, PASSING) or getattr(layer, "inplace", False):
            return False
        return type(layer).__module__.startswith(("torch.nn", "polyneuron."))
    if kind_of_call(node, root) is not None:
        return not _in_place(node, root)
    return node.op == "output" or node.target in FRESH


def calls_elsewhere(kind: type, names: set[str]) -> Iterator[str]:
    """Yield the methods of a class, other than `forward`, whose code calls one of these names."""
    for base in kind.__mro__[: kind.__mro__.index(nn.Module)]:
        for name, method in vars(base).items():
            code = getattr(method, "__code__", None)
            if name != "forward" and code is not None and names & set(_names_called(code)):
                yield name


def _names_called(code: CodeType) -> Iterator[str]:
    before = None
    for instruction in dis.get_instructions(code):
        loads = instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL", "LOAD_NAME")
        # `self.relu` is a submodule.
        if loads and before != "self":
            yield str(instruction.argval)
        before = instruction.argval
