"""Snapshots of every activation function at chosen epochs: parameters, curve, range of inputs."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from polyneuron import Activation, PolyNeuron, PolyNeuronR, activation_modules
from trainers.percentiles import nearest_ranks
from trainers.recipe import Recipe
from trainers.records import Snapshot
from trainers.schedule import drop_epochs

LOG_SPACED = 30
"""About so many epochs have snapshots, closer at first, when a function changes most."""

CURVE_FROM, CURVE_TO, CURVE_POINTS = -5.0, 5.0, 101
"""The grid of every curve, one for all so that curves can be compared point by point."""

INPUT_IMAGES = 128
"""The range of a function's inputs is taken from the first so many validation images."""


def snapshot_epochs(recipe: Recipe) -> frozenset[int]:
    """Return 0 (the start), log-spaced epochs up to the last, and both sides of each drop."""
    return _snapshot_epochs(recipe.epochs, drop_epochs(recipe))


@functools.lru_cache(256)
def _snapshot_epochs(last: int, drops: tuple[int, ...]) -> frozenset[int]:
    # Kept: each epoch of each run asks.
    spaced = {round(epoch) for epoch in np.geomspace(1, last, LOG_SPACED).tolist()}
    sides = {epoch for drop in drops for epoch in (drop, drop + 1) if epoch <= last}
    return frozenset({0, last} | spaced | sides)


Range = tuple[list[float], list[float]]
"""1st and 99th percentile of the inputs of each function of a layer."""


@torch.no_grad()
def take_snapshots(net: nn.Module, epoch: int, ranges: Mapping[str, Range]) -> list[Snapshot]:
    """Return one snapshot of each function of each layer.

    Args:
        net: the network.
        epoch: the epoch just finished; 0 for the start.
        ranges: from `input_ranges`.
    """
    grid = torch.linspace(CURVE_FROM, CURVE_TO, CURVE_POINTS, device=next(net.parameters()).device)
    curve_x = tuple(grid.tolist())
    snapshots = []
    for layer, module in activation_modules(net):
        c_x, c_y, w, v = (rows.float().cpu().tolist() for rows in _control_points(module))
        curves = module.curve(grid).float().cpu().tolist()
        low, high = ranges[layer]
        for a in range(module.functions):
            snapshots.append(
                Snapshot(
                    epoch=epoch,
                    layer=layer,
                    function=a,
                    c_x=tuple(c_x[a]),
                    c_y=tuple(c_y[a]),
                    w=tuple(w[a]),
                    v0=v[a][0] if v[a] else None,
                    v1=v[a][1] if v[a] else None,
                    curve_x=curve_x,
                    curve_y=tuple(curves[a]),
                    input_p01=low[a],
                    input_p99=high[a],
                )
            )
    return snapshots


def _control_points(module: Activation) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return c_x, c_y, w (A, s) and v (A, 2); all (A, 0) for an activation without them."""
    if isinstance(module, PolyNeuron):
        return module.c_x, module.c_y, *module.coefficients()
    if isinstance(module, PolyNeuronR):
        return module.c_x, module.c_y, module.w, module.v
    nothing = torch.empty(module.functions, 0)
    return nothing, nothing, nothing, nothing


@contextlib.contextmanager
def input_ranges(
    net: nn.Module,
    timed: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> Iterator[dict[str, Range]]:
    """Keep the percentiles of what each activation receives in the next forward pass.

    The first `INPUT_IMAGES` images of the pass count, in the precision in which it computes.

    Args:
        net: the network, left as it is.
        timed: context in which the percentiles are found.

    Yields:
        The ranges by layer, exact: the values of the nearest rank.
    """
    ranges: dict[str, Range] = {}
    hooks = []
    for layer, module in activation_modules(net):

        def note(module: Activation, inputs: tuple[Tensor, ...], layer: str = layer) -> None:
            if layer not in ranges:
                with timed():
                    x = inputs[0].detach()[:INPUT_IMAGES].float().cpu()
                    received = _by_function(x, module.functions).numpy()
                    low, high = nearest_ranks(received, (0.01, 0.99))
                    ranges[layer] = low.tolist(), high.tolist()

        hooks.append(module.register_forward_pre_hook(note))
    try:
        yield ranges
    finally:
        for handle in hooks:
            handle.remove()


def _by_function(x: Tensor, functions: int) -> Tensor:
    """Reorder x (N, C, ...) to (A, n): a row holds all inputs of one function, in any order."""
    if functions == 1:
        # As they lie in memory: nothing is copied.
        return x.permute(sorted(range(x.ndim), key=x.stride, reverse=True)).reshape(1, -1)
    if x.shape[1] == functions:
        return x.transpose(0, 1).reshape(functions, -1)
    return x.flatten(1).T
