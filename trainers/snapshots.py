"""Snapshots of every activation function at chosen epochs: parameters, curve, range of inputs."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from polyneuron import Activation, PolyNeuron, PolyNeuronR, activation_modules
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
    last = recipe.epochs
    spaced = {round(epoch) for epoch in np.geomspace(1, last, LOG_SPACED).tolist()}
    sides = {epoch for drop in drop_epochs(recipe) for epoch in (drop, drop + 1) if epoch <= last}
    return frozenset({0, last} | spaced | sides)


@torch.no_grad()
def take_snapshots(net: nn.Module, epoch: int, images: Tensor) -> list[Snapshot]:
    """Return one snapshot of each function of each layer.

    Args:
        net: left as it is, but for being set to evaluation.
        epoch: the epoch just finished; 0 for the start.
        images: (n, C, H, W) normalised validation images.
    """
    ranges = _input_percentiles(net, images)
    grid = torch.linspace(CURVE_FROM, CURVE_TO, CURVE_POINTS, device=images.device)
    snapshots = []
    for layer, module in activation_modules(net):
        c_x, c_y, w, v = (rows.float().cpu().tolist() for rows in _control_points(module))
        curves = module.curve(grid).float().cpu().tolist()
        low, high = (bound.tolist() for bound in ranges[layer])
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
                    curve_x=tuple(grid.tolist()),
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


def _input_percentiles(net: nn.Module, images: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the 1st and 99th percentile (A,) of each activation's inputs, by its name."""
    ranges: dict[str, tuple[Tensor, Tensor]] = {}
    hooks = []
    for layer, module in activation_modules(net):

        def note(module: Activation, inputs: tuple[Tensor, ...], layer: str = layer) -> None:
            # On the CPU: torch's kthvalue is not deterministic on a GPU.
            received = _by_function(inputs[0].float().cpu(), module.functions)
            ranges[layer] = percentile(received, 0.01), percentile(received, 0.99)

        hooks.append(module.register_forward_pre_hook(note))
    net.eval()
    try:
        net(images)
    finally:
        for handle in hooks:
            handle.remove()
    return ranges


def _by_function(x: Tensor, functions: int) -> Tensor:
    """Reorder x (N, C, ...) to (A, n): a row holds all inputs of one function."""
    if functions == 1:
        return x.reshape(1, -1)
    if x.shape[1] == functions:
        return x.transpose(0, 1).reshape(functions, -1)
    return x.flatten(1).T


def percentile(values: Tensor, share: float) -> Tensor:
    """Return the nearest-rank percentile of each row of values (A, n)."""
    # Nearest rank: an input that occurred, where others interpolate in different ways.
    rank = max(1, math.ceil(share * values.shape[1]))
    return values.kthvalue(rank, dim=1).values
