"""The code of a module, written anew with its calls of activation functions as submodules.

The module becomes an object of a subclass of its class, under the same name, as torch's own
parametrisations do it: `isinstance`, methods, attributes and hooks stay; `forward` alone is new.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, fx, nn

from polyneuron.activations.activation import Activation
from polyneuron.nonlinearities import input_of, kind_of_call
from polyneuron.scope import Channels

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

HOOKS = (
    *("_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called"),
    *("_forward_pre_hooks", "_forward_pre_hooks_with_kwargs"),
    *("_backward_hooks", "_backward_pre_hooks"),
)


class InPlace(nn.Module):
    """An activation that overwrites its input, where the code around it reads that again.

    Attributes:
        activation: what computes the values.
    """

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Overwrite x with the activation's values, and return it."""
        # Of a copy: the backward pass reads the input that the activation has kept.
        return x.copy_(self.activation(x.clone()))


class Call(NamedTuple):
    """A call of an activation function."""

    channels: Channels
    """At its input, as `Activation` takes them."""
    relied_on: bool
    """The call overwrites its input, which is read afterwards."""


class Shallow(fx.Tracer):
    """A tracer of a module's own code, in which calls of submodules stay calls."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return True."""
        return True


def trace(module: nn.Module, tracer: fx.Tracer) -> fx.Graph:
    """Return the graph of a module's code.

    Raises:
        ValueError: torch.fx cannot trace the module.
    """
    try:
        return tracer.trace(module)
    except Exception as error:  # a network's own code may raise anything on symbolic values
        raise ValueError(
            f"torch.fx cannot trace {type(module).__name__} ({type(error).__name__}: {error});"
            " build the network with make_activation in place of its activation functions"
        ) from error


def own_graphs(owner: nn.Module) -> dict[bool, fx.Graph]:
    """Return the graphs of a module's own code in evaluation (False) and in training (True).

    Raises:
        ValueError: torch.fx cannot trace the module.
    """
    training = owner.training
    graphs = {}
    for mode in (False, True):
        owner.training = mode
        graphs[mode] = trace(owner, Shallow())
    owner.training = training
    return graphs


def take_hooks(activation: nn.Module, replaced: nn.Module) -> None:
    """Let the hooks of a replaced module run on its activation, and on no other."""
    for name in HOOKS:
        setattr(activation, name, getattr(replaced, name).copy())
    activation._is_full_backward_hook = replaced._is_full_backward_hook


def call_instead(graph: fx.Graph, node: fx.Node, path: str) -> None:
    """Make a graph call the submodule at a path where it called an activation function."""
    with graph.inserting_before(node):
        new = graph.call_module(path, (input_of(node),))
    node.replace_all_uses_with(new)
    graph.erase_node(node)


def run_as(owner: nn.Module, graphs: Mapping[bool, fx.Graph]) -> None:
    """Make a module run graphs in evaluation and training, in place of its code.

    The module remains the same object: others hold references to it.
    """
    owner.__class__ = _rewritten(getattr(type(owner), "rewritten_from", type(owner)), graphs)


def _rewritten(kind: type[nn.Module], graphs: Mapping[bool, fx.Graph]) -> type[nn.Module]:
    # Tracers and torch.compile see no branch where both modes run the same code.
    evaluation, training = (graphs[mode].python_code("self") for mode in (False, True))
    forward = _function(training)
    if evaluation.src != training.src:
        forward = _by_mode(_function(evaluation), forward)
    return type(
        kind.__name__,
        (kind,),
        {
            "__module__": kind.__module__,
            "__qualname__": kind.__qualname__,
            "__doc__": kind.__doc__,
            "__reduce_ex__": functools.partialmethod(_reduce, kind, dict(graphs)),
            "rewritten_from": kind,
            "forward": functools.wraps(kind.forward)(forward),
        },
    )


def _function(code: Any) -> Callable[..., Any]:
    names = dict(code.globals)
    exec(compile(code.src, "<forward, rewritten by polyneuron>", "exec"), names)
    function: Callable[..., Any] = names["forward"]
    return function


def _by_mode(evaluation: Callable[..., Any], training: Callable[..., Any]) -> Callable[..., Any]:
    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return (training if self.training else evaluation)(self, *args, **kwargs)

    return forward


def _reduce(self: nn.Module, kind: type, graphs: Mapping[bool, fx.Graph], protocol: int) -> Any:
    # Pickle finds a class by its name, under which lies the class that was rewritten.
    reduce: Callable[..., Any] = kind.__reduce_ex__
    _, arguments, *state = reduce(self, protocol)
    return _restored, (kind, graphs, arguments[1:]), *state


def _restored(kind: type, graphs: Mapping[bool, fx.Graph], arguments: tuple[Any, ...]) -> nn.Module:
    rewritten = _rewritten(kind, graphs)
    made: nn.Module = rewritten.__new__(rewritten, *arguments)
    return made


class Plan:
    """The replacement of the calls in one module's own code."""

    def __init__(
        self,
        owner: nn.Module,
        of: tuple[str, ...],
        calls: list[Call],
        make: Callable[[Channels], Activation],
    ) -> None:
        self.owner = owner
        self.graphs = own_graphs(owner)
        self.nodes = {
            mode: [n for n in graph.nodes if kind_of_call(n, owner, of) in of]
            for mode, graph in self.graphs.items()
        }
        # A module that runs several times has its calls listed as often: each call of its code
        # gets the activation made for the first run.
        most = max(self.nodes.values(), key=len)
        kept = calls[: len(most)]
        self.paths = self._paths(most)
        self.rewritten = not all(self._as_written(nodes) for nodes in self.nodes.values())
        if self.rewritten and len(self.nodes[False]) != len(self.nodes[True]):
            raise ValueError(
                f"{type(owner).__name__}.forward calls an activation function as a function, or one"
                " module twice, and makes other calls in training than in evaluation; give each"
                " call a module of its own"
            )
        if self.rewritten and isinstance(owner, CONTAINERS) and self._adds_to_container():
            raise ValueError(
                f"{type(owner).__name__}.forward calls an activation function as a function, or one"
                " module twice: a replacement would change the length of this container; give each"
                " call a module of its own"
            )
        self.activations: list[nn.Module] = []
        for call in kept:
            made = make(call.channels)
            self.activations.append(InPlace(made) if call.relied_on else made)

    def carry_out(self) -> None:
        """Put the activations in their places."""
        for path, activation in zip(self.paths, self.activations, strict=True):
            source = path if _has(self.owner, path) else self._origin.get(path)
            if source is not None:
                take_hooks(activation, self.owner.get_submodule(source))
        for path, activation in zip(self.paths, self.activations, strict=True):
            self.owner.set_submodule(path, activation.train(self.owner.training))
        if self.rewritten:
            for mode, graph in self.graphs.items():
                for node, path in zip(self.nodes[mode], self.paths, strict=True):
                    call_instead(graph, node, path)
            run_as(self.owner, self.graphs)

    def _paths(self, nodes: list[fx.Node]) -> list[str]:
        """Name the place of each call's activation: the called module's, or a free one."""
        self._origin: dict[str, str] = {}
        taken: set[str] = set()
        paths = []
        for node in nodes:
            path = "relu"
            if node.op == "call_module":
                path = str(node.target)
                names = [path, *self._aliases(path)]
                free = next((n for n in names if n not in taken), None)
                if free is not None:
                    taken.add(free)
                    paths.append(free)
                    continue
            free = self._free_name(path.replace(".", "_"), taken)
            if node.op == "call_module":
                self._origin[free] = path
            taken.add(free)
            paths.append(free)
        return paths

    def _aliases(self, path: str) -> list[str]:
        """Return the other paths at which the same module lies."""
        module = self.owner.get_submodule(path)
        named = self.owner.named_modules(remove_duplicate=False)
        return [name for name, other in named if other is module and name != path]

    def _free_name(self, base: str, taken: set[str]) -> str:
        names = (base if n == 0 else f"{base}_{n}" for n in itertools.count())
        return next(n for n in names if n not in taken and not hasattr(self.owner, n))

    def _as_written(self, nodes: list[fx.Node]) -> bool:
        """Return True if the code as it is calls each activation in its place."""
        if any(node.op != "call_module" for node in nodes):
            return False
        if type(self.owner).forward is nn.Sequential.forward:
            return True
        targets = [str(node.target) for node in nodes]
        return len(set(targets)) == len(targets)

    def _adds_to_container(self) -> bool:
        return any(not _has(self.owner, path) for path in self.paths)


def _has(owner: nn.Module, path: str) -> bool:
    try:
        owner.get_submodule(path)
    except AttributeError:
        return False
    return True
