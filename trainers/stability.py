"""Signs that an activation runs away: its inputs, its sum of w, and what batch norm hides.

Batch norm bounds what an activation receives in training, by the batch's own statistics. An
evaluation uses running ones, under which one outlier can be cubed layer after layer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from polyneuron import activation_modules
from trainers.augment import Normaliser
from trainers.validation import validate

IMAGES = 1000
"""So many validation images are classified with both kinds of statistics."""


@dataclass(frozen=True)
class Stability:
    """Inputs of a network's activations in evaluation, and how far both statistics agree."""

    inputs: dict[str, float]
    """Largest |x| of each activation's inputs, by layer, on running statistics."""
    batch_inputs: dict[str, float]
    """The same on batch statistics; equal in a network without batch norm."""
    sums: dict[str, float]
    """Largest |sum of w| of each penalised layer's functions."""
    error_percent: float
    """On running statistics."""
    batch_error_percent: float
    """On batch statistics."""

    @property
    def gap_percent(self) -> float:
        """Points of error by which running statistics do worse than the batch's."""
        return self.error_percent - self.batch_error_percent


def observe(net: nn.Module, images: Tensor, labels: Tensor, normalise: Normaliser) -> Stability:
    """Observe a network on validation images (N, C, H, W) uint8 with labels (N,).

    No parameter, statistic or random stream changes; the network is left in evaluation.
    """
    images, labels = images[:IMAGES], labels[:IMAGES]

    def seen() -> tuple[dict[str, float], float]:
        with largest_inputs(net) as largest:
            found = validate(net, images, labels, normalise, contextlib.nullcontext())
        return {layer: float(value) for layer, value in largest.items()}, found.error_percent

    inputs, error = seen()
    batch_inputs, batch_error = inputs, error
    if any(isinstance(module, _BatchNorm) for module in net.modules()):
        with batch_statistics(net):
            batch_inputs, batch_error = seen()
    return Stability(inputs, batch_inputs, largest_sums(net), error, batch_error)


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
            found = inputs[0].detach().abs().amax().float()
            # `maximum` keeps a NaN, which is the largest of all signs.
            largest[layer] = torch.maximum(largest[layer], found) if layer in largest else found

        hooks.append(module.register_forward_pre_hook(note))
    try:
        yield largest
    finally:
        for hook in hooks:
            hook.remove()


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
    return {
        layer: float(module.w.float().sum(1).abs().amax())
        for layer, module in activation_modules(net)
        if module.penalised and isinstance(module.w, Tensor)
    }
