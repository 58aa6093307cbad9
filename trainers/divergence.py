"""Divergence of a run: the step at which it began, the layer, and the cause.

Losses and gradient norms stay on the device, which keeps a GPU busy. They are looked at every
`CHECK_EVERY` steps, or once an epoch if steps are replayed from a graph. The state at the last
look is kept, so that the steps since then can be taken again up to the one that failed, and that
one with a hook on every layer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from polyneuron import SingularSystemError, activation_modules

CHECK_EVERY = 50
"""Steps between two looks. A copy of the state costs far less than 50 steps."""


class Diverged(Exception):  # noqa: N818 - an outcome of a run, not an error
    """A run cannot go on, from this step and layer, for this cause.

    Steps count from 1 within the epoch; 0 is outside training, in validation or a snapshot.
    """

    def __init__(self, step: int, layer: str, cause: str, tail: str = "") -> None:
        super().__init__(f"step {step}, layer {layer or 'unknown'}: {cause}")
        self.step = step
        self.layer = layer
        self.tail = tail
        """Which activation's tail ran away, if one did; else empty."""


@contextlib.contextmanager
def locate_singular_system(net: nn.Module) -> Iterator[None]:
    """Turn a singular system, met outside training, into Diverged with the layer's name."""
    try:
        yield
    except SingularSystemError as error:
        # Found afterwards: a hook on each layer would keep layers from being computed as one.
        raise Diverged(0, _singular_layer(net), str(error)) from None


def _singular_layer(net: nn.Module) -> str:
    """Return the first layer whose functions do not all exist; empty if there is none."""
    for name, module in activation_modules(net):
        parameter = next(module.parameters(), torch.empty(0))
        try:
            module.curve(torch.zeros(1, dtype=torch.float32, device=parameter.device))
        except SingularSystemError:
            return name
    return ""


class SavedState:
    """A copy of a network's and its optimizer's state."""

    def __init__(self, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.net = {name: value.clone() for name, value in net.state_dict().items()}
        self.optimizer = {
            parameter: {name: value.clone() for name, value in state.items()}
            for parameter, state in optimizer.state.items()
        }

    def restore(self, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write the copy into the tensors that the network and its optimizer have.

        State that Adam made after the copy goes back to 0, at which it started.
        """
        net.load_state_dict(self.net)
        for parameter, state in optimizer.state.items():
            kept = self.optimizer.get(parameter, {})
            for name, value in state.items():
                if name in kept:
                    value.copy_(kept[name])
                else:
                    value.zero_()


def first_nonfinite(*series: Tensor) -> int | None:
    """Return the first index at which one of the series (n,) is not finite, or None."""
    bad = ~torch.stack([values.isfinite() for values in series]).all(0)
    return int(bad.int().argmax()) if bool(bad.any()) else None


def nonfinite_parameter(net: nn.Module) -> tuple[str, str] | None:
    """Return (layer, parameter name) of the first parameter that is not finite."""
    names = [name for name, _ in net.named_parameters()]
    # One transfer for all parameters: each transfer waits for the device.
    finite = torch.stack([parameter.isfinite().all() for parameter in net.parameters()]).tolist()
    for name, sound in zip(names, finite, strict=True):
        if not sound:
            layer, _, own_name = name.rpartition(".")
            return layer, own_name
    return None


def diagnose(
    net: nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[[], Tensor]
) -> tuple[str, str]:
    """Take a failed step again, checking every part of it; return the layer and the cause.

    Args:
        net: the network as it was just before the step; the step changes it.
        optimizer: its optimizer, likewise.
        loss: evaluates the step's loss, penalties included.
    """
    net.zero_grad(set_to_none=True)
    layer, value, singular = _first_nonfinite_output(net, loss)
    if singular is not None:
        return layer, singular
    if layer:
        return layer, "its output is not finite"
    if value is None or not bool(value.isfinite()):
        return "", "the loss is not finite"
    value.backward()
    return _nonfinite_gradient(net) or _nonfinite_update(net, optimizer)


def _first_nonfinite_output(
    net: nn.Module, loss: Callable[[], Tensor]
) -> tuple[str, Tensor | None, str | None]:
    entered: list[str] = []
    bad: list[str] = []
    hooks = []
    for name, module in net.named_modules():
        if next(module.children(), None) is not None:
            continue  # a container is no layer: its output is that of a module inside

        def before(*_: object, name: str = name) -> None:
            entered.append(name)

        def after(_module: nn.Module, _inputs: object, output: Tensor, name: str = name) -> None:
            if not bool(output.isfinite().all()):
                bad.append(name)

        hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        value = loss()
    except SingularSystemError as error:
        return entered[-1] if entered else "", None, str(error)
    finally:
        for hook in hooks:
            hook.remove()
    return bad[0] if bad else "", value, None


def _nonfinite_gradient(net: nn.Module) -> tuple[str, str] | None:
    # Gradients flow from the loss backwards: the last layer that has a bad one is the origin.
    for name, parameter in reversed(list(net.named_parameters())):
        if parameter.grad is not None and not bool(parameter.grad.isfinite().all()):
            layer, _, own_name = name.rpartition(".")
            return layer, f"the gradient of its {own_name} is not finite"
    return None


def _nonfinite_update(net: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[str, str]:
    optimizer.step()
    broken = nonfinite_parameter(net)
    if broken is None:
        return "", "not finite at first, and finite when the step was taken again"
    return broken[0], f"its {broken[1]} is not finite after the update"
