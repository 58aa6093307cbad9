"""Eq. 2 for a whole network at once: one batched solve a step instead of one a layer."""

from types import TracebackType

import torch
from torch import nn

from polyneuron.activations import activation_modules
from polyneuron.activations.interpolating import Interpolating, solved_kernel, spoil


class JointSolve:
    """Solves for all functions through control points in a network; a context for its forward pass.

    Within the context a function without a unique spline is not a number instead of an error, so
    that a GPU need not be waited for. Gradients flow to each module's control points.

        joint = JointSolve(network)
        with joint:
            loss = criterion(network(x), target)

    Args:
        network: whose modules are solved for; made anew when modules are added or moved.
    """

    def __init__(self, network: nn.Module) -> None:
        groups: dict[tuple[int, int, torch.dtype, torch.device], list[Interpolating]] = {}
        for _, module in activation_modules(network):
            if isinstance(module, Interpolating):
                c_x, _ = module.points()
                key = (module.k, c_x.shape[1], c_x.dtype, c_x.device)
                groups.setdefault(key, []).append(module)
        # On the CPU the kernel for k = 3 solves as it evaluates, which costs less than one call.
        self._groups = [
            (k, modules)
            for (k, _, _, device), modules in groups.items()
            if k != 3 or device.type != "cpu"
        ]

    def __enter__(self) -> None:
        for k, modules in self._groups:
            points = zip(*(module.points() for module in modules), strict=True)
            c_x, c_y = (torch.cat(rows) for rows in points)
            function, parameters = spoil(*solved_kernel(c_x, c_y, k))
            sizes = [module.functions for module in modules]
            shares = zip(*(parameter.split(sizes) for parameter in parameters), strict=True)
            for module, share in zip(modules, shares, strict=True):
                module.solved = function, share

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, modules in self._groups:
            for module in modules:
                module.solved = None
