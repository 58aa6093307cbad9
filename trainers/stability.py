"""Signs that an activation runs away: its inputs, its tails, and what batch norm hides.

Batch norm bounds what an activation receives in training, by the batch's own statistics. An
evaluation uses running ones, under which one outlier can be cubed layer after layer.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from polyneuron import Activation, SingularSystemError, activation_modules
from trainers.augment import Normaliser
from trainers.outliers import largest_size
from trainers.validation import Validation, validate

OBSERVED_IMAGES = 500
"""The first so many validation images are classified with both kinds of statistics. More would
cost over a hundredth of an epoch."""

FAR_INPUT = 50.0
"""Inputs beyond are far from what batch norm gives: in readings of ResNet-20 that learn, the
largest of an epoch are about 10."""

TAIL_GAIN = 10.0
"""Values so many times as large as their inputs are the work of a tail that grows faster than its
input: ReLU's values are as large as its inputs, the ReLU-like start's 1.25 times."""

GAP_PERCENT = 10.0
"""Points of error: running statistics that do so much worse than the batch's are no evaluation of
what was trained. By chance alone, the gap on 500 images seldom passes 5."""


@dataclass(frozen=True)
class Stability:
    """Inputs of a network's activations in evaluation, and how far both statistics agree."""

    inputs: dict[str, float]
    """Largest |x| of each activation's inputs, by layer, on running statistics."""
    batch_inputs: dict[str, float]
    """The same on batch statistics; equal in a network without batch norm."""
    sums: dict[str, float]
    """Largest |sum of w| of each penalised layer's functions."""
    gains: dict[str, float]
    """By how much each activation multiplies its largest input, see `tail_gains`."""
    error_percent: float
    """On running statistics."""
    batch_error_percent: float
    """On batch statistics."""

    @property
    def gap_percent(self) -> float:
        """Points of error by which running statistics do worse than the batch's."""
        return self.error_percent - self.batch_error_percent

    @property
    def largest(self) -> dict[str, float]:
        """Largest |x| of each activation's inputs on either kind of statistics, NaN before all."""
        return {layer: _larger(x, self.batch_inputs[layer]) for layer, x in self.inputs.items()}

    @property
    def farthest(self) -> str | None:
        """The layer with the largest input; None in a network without activations."""
        return max(self.largest, key=lambda layer: _rank(self.largest[layer]), default=None)

    def warning(self) -> str:
        """Say what will soon go wrong in the network; empty if nothing is seen."""
        for layer, x in self.largest.items():
            if not x <= FAR_INPUT and not self.gains[layer] <= TAIL_GAIN:
                return tail_text(layer, x, self.gains[layer], self.sums.get(layer))
        if self.gap_percent > GAP_PERCENT:
            return (
                f"running statistics give {self.error_percent:.1f} % error, those of the batch"
                f" {self.batch_error_percent:.1f} %: evaluation does not see what is trained"
            )
        return ""


def observe(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    normalise: Normaliser,
    known: tuple[Validation, Mapping[str, float]] | None = None,
) -> Stability:
    """Observe a network on validation images (N, C, H, W) uint8 with labels (N,).

    No parameter, statistic or random stream changes; the network is left in evaluation.

    Args:
        net: the network.
        images: validation images.
        labels: of the images.
        normalise: with the training images' statistics.
        known: where they are, the network's results on these images and others that follow, and by
            layer the largest |x| of its activations' inputs in the first batch.
    """

    def seen() -> tuple[dict[str, float], float]:
        with largest_inputs(net) as largest:
            found = validate(net, images, labels, normalise, contextlib.nullcontext())
        return as_numbers(largest), found.error_percent

    if known is None:
        inputs, error = seen()
    else:
        validation, largest = known
        inputs = dict(largest)
        error = 100 * (1 - float(validation.correct[: len(images)].mean()))
    batch_inputs, batch_error = inputs, error
    if has_statistics(net):
        with batch_statistics(net):
            batch_inputs, batch_error = seen()
    largest = {layer: _larger(x, batch_inputs[layer]) for layer, x in inputs.items()}
    sums, gains = largest_sums(net), tail_gains(net, largest)
    return Stability(inputs, batch_inputs, sums, gains, error, batch_error)


def tail_at_fault(net: nn.Module, forward: Callable[[], object]) -> str:
    """Say which activation's tail a forward pass runs away in; empty if none does.

    The first such layer is named: those behind it receive its values.

    Args:
        net: its running statistics may change.
        forward: computes the network's values on a batch.
    """
    try:
        with torch.no_grad(), largest_inputs(net) as found:
            forward()
        inputs = as_numbers(found)
        gains = tail_gains(net, inputs)
    except SingularSystemError:
        return ""
    for layer, gain in gains.items():
        if gain > TAIL_GAIN:
            return tail_text(layer, inputs[layer], gain, largest_sums(net).get(layer))
    return ""


def tail_text(layer: str, x: float, gain: float, sum_w: float | None) -> str:
    """Say that a layer's tail took over, at which input."""
    weights = "" if sum_w is None else f" with |Σw| at {sum_w:.2g}"
    larger = f"{gain:.2g} times as large" if math.isfinite(gain) else "too large for a number"
    return f"inputs of {layer} reached {x:.3g}{weights}, and its tail makes them {larger}"


@contextlib.contextmanager
def largest_inputs(net: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Keep the largest |x| that each activation receives.

    Yields:
        These values by layer, 0-dim on the device.
    """
    largest: dict[str, Tensor] = {}
    hooks = []
    for layer, module in activation_modules(net):

        def note(_: nn.Module, inputs: tuple[Tensor, ...], layer: str = layer) -> None:
            found = largest_size(inputs[0])
            # `maximum` keeps a NaN, which is the largest of all signs.
            largest[layer] = torch.maximum(largest[layer], found) if layer in largest else found

        hooks.append(module.register_forward_pre_hook(note))
    try:
        yield largest
    finally:
        for hook in hooks:
            hook.remove()


def as_numbers(found: Mapping[str, Tensor]) -> dict[str, float]:
    """Return values, each 0-dim, as numbers, in one transfer from their device."""
    values = torch.stack(list(found.values())).tolist() if found else []
    return dict(zip(found, values, strict=True))


def has_statistics(net: nn.Module) -> bool:
    """Return True for a network with batch norm."""
    return any(isinstance(module, _BatchNorm) for module in net.modules())


@contextlib.contextmanager
def batch_statistics(net: nn.Module) -> Iterator[None]:
    """Make batch norms in evaluation use the batch's statistics, and keep their running ones."""
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    kept = [(norm.running_mean, norm.running_var) for norm in norms]
    try:
        for norm in norms:
            # Without running statistics torch takes the batch's, and there is nothing to update.
            norm.running_mean = norm.running_var = None
        yield
    finally:
        for norm, (mean, variance) in zip(norms, kept, strict=True):
            norm.running_mean, norm.running_var = mean, variance


@torch.no_grad()
def largest_sums(net: nn.Module) -> dict[str, float]:
    """Return the largest |sum_i w_i| of each penalised layer's functions, by layer."""
    return as_numbers(
        {
            layer: module.w.float().sum(1).abs().amax()
            for layer, module in activation_modules(net)
            if module.penalised and isinstance(module.w, Tensor)
        }
    )


@torch.no_grad()
def tail_gains(net: nn.Module, inputs: Mapping[str, float]) -> dict[str, float]:
    """Return by how much each layer's functions multiply an input of the largest size.

    Args:
        net: the network.
        inputs: size of the largest input by layer; a layer without one is left out.

    Returns:
        Largest |f(x)| / |x| over a layer's functions at x and -x; 0 at x = 0.
    """
    gains = {}
    for layer, module in activation_modules(net):
        if layer in inputs:
            x = inputs[layer]
            gains[layer] = _gain(module, x) if x > 0 or math.isnan(x) else 0.0
    return gains


def _gain(module: Activation, x: float) -> float:
    parameter = next(module.parameters(), torch.empty(0))
    ends = torch.tensor([-x, x], dtype=torch.float32, device=parameter.device)
    return float(module.curve(ends).abs().amax()) / x


def _larger(x: float, y: float) -> float:
    return x if _rank(x) >= _rank(y) else y


def _rank(x: float) -> float:
    return math.inf if math.isnan(x) else x
