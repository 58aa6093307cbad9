"""Eq. 2 for a whole network at once: one batched solve a step instead of one a layer."""

from types import TracebackType

import torch
from torch import nn

from polyneuron.activations import activation_modules
from polyneuron.activations.interpolating import Interpolating, solved_kernel, spoil


class JointSolve:
    """A context for a network's forward pass, entering which solves Eq. 2 for all its modules.

    A function without a unique spline gives NaN within the context. An error would have to wait for
    the GPU. Gradients flow to each module's control points. In a training step::

        joint = JointSolve(network)
        with joint:
            loss = criterion(network(x), target)

    Args:
        network: the network. After modules are added or moved, make a new context.
    """

    def __init__(self, network: nn.Module) -> None:
        groups: dict[tuple[int, int, torch.dtype, torch.device], list[Interpolating]] = {}
        for _, module in activation_modules(network):
            if isinstance(module, Interpolating):
                c_x, _ = module.points()
                # A batched solve takes rows that agree in these.
                key = (module.k, c_x.shape[1], c_x.dtype, c_x.device)
                groups.setdefault(key, []).append(module)
        # Left out: the CPU's kernel for k = 3, which solves in less time than one more call takes.
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
            # `split` gives views, through which gradients flow back into the one solve.
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
