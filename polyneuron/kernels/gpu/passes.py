"""The passes over memory that make up every operator: values, sums, gradients of parameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from polyneuron.kernels.function import Function
from polyneuron.kernels.gpu.device import Device, DeviceFunction, device_of
from polyneuron.kernels.gpu.launching import launch
from polyneuron.kernels.gpu.layout import (
    Layout,
    Plan,
    constants,
    in_order_of,
    plan,
    summing_blocks,
)
from polyneuron.kernels.gpu.skeleton import evaluate_kernel, finish_kernel, gradient_kernel
from polyneuron.kernels.natural.solving import solve, solve_backward


def _as_they_are(*gradients: Tensor) -> Sequence[Tensor]:
    return gradients


@dataclass(frozen=True)
class Parametrised:
    """An activation function with its parameters, as the kernels take them.

    Attributes:
        device: the device functions.
        parameters: contiguous float32 tensors (A, ...).
        k: order of U_k, 0 where there is none.
        orders: order of every row (A,), an integer of at most k; None is k throughout.
        present: (A, s), 0 where a row has fewer than s control points; None is s throughout.
        pull: from the gradients of `parameters` to those of the parameters as they were given.
    """

    device: Device
    parameters: tuple[Tensor, ...]
    k: int = 0
    orders: Tensor | None = None
    present: Tensor | None = None
    pull: Callable[..., Sequence[Tensor]] = _as_they_are

    @property
    def s(self) -> int:
        """Control points, knots or hinges of a function."""
        first = self.parameters[0] if self.parameters else None
        return first.shape[1] if first is not None and first.ndim == 2 else 0

    @property
    def sums(self) -> int:
        """Return the number of sums over x that the gradients of the parameters need."""
        return self.device.sums(self.s)

    def shared_by(self, columns: int) -> bool:
        """True if one row of parameters serves several columns of x."""
        return bool(self.parameters) and self.parameters[0].shape[0] == 1 < columns

    def pointers(self, last: Tensor | None) -> tuple[Tensor, ...]:
        """The kernels' `parameters`, of which rows of their own have one more."""
        return self.parameters if last is None else (*self.parameters, last)


@dataclass(frozen=True)
class Front:
    """The step from x to the input of f: u = (x - mean) rstd weight + bias + residual, or u = x."""

    norm: tuple[Tensor, ...] = ()
    """mean, rstd, weight and bias, float32 (C,)."""
    residual: Tensor | None = None
    """Like x."""


NOTHING = Front()


def parametrised(
    function: Function,
    parameters: Sequence[Tensor],
    orders: Tensor | None = None,
    present: Tensor | None = None,
) -> Parametrised:
    """Lay out a function's parameters as the kernels read them, and solve where they want it."""
    tensors = tuple(parameter.float().contiguous() for parameter in parameters)
    orders = None if orders is None else orders.to(torch.int32).contiguous()
    present = None if present is None else present.to(torch.int32).contiguous()
    if function.solved_as is None:
        return Parametrised(device_of(function.family), tensors, function.order, orders, present)
    c_x, c_y = tensors
    splines = solve(c_x, c_y)
    pull = partial(solve_backward, splines)
    return Parametrised(device_of(function.solved_as.family), splines[:3], pull=pull)


def function_values(f: Parametrised, x: Tensor, layout: Layout, front: Front = NOTHING) -> Tensor:
    """Return y = f(u), like the dense x."""
    y = torch.empty_like(x)
    if x.numel():  # CUDA refuses an empty grid
        cut = plan(layout, 0, f.sums)
        launch(
            evaluate_kernel,
            cut.grid,
            y=y,
            VALUE=f.device.value,
            **tiled(f, x, layout, cut, front),
        )
    return y


def partial_sums(
    f: Parametrised,
    g: Tensor,
    x: Tensor,
    layout: Layout,
    g_u: Tensor | None,
    front: Front = NOTHING,
) -> tuple[Tensor, Tensor]:
    """Store the gradient of u in g_u, where one is given, and return partial sums.

    They are those of the function, (sums, rows, A), and, after a norm, (2, rows, C) with sums of
    the gradient of u and of it times (x - mean) rstd.
    """
    norm_sums = 2 if front.norm else 0
    # A function has about as many coefficients as sums.
    cut = plan(layout, f.sums + norm_sums, f.sums)
    along_n, along_a = cut.grid
    shape = (along_n * along_a, 1) if f.shared_by(layout.A) else (along_n, layout.A)
    partials = x.new_empty((f.sums, *shape), dtype=torch.float32)
    norm_partials = x.new_empty((norm_sums, along_n, layout.A), dtype=torch.float32)
    launch(
        gradient_kernel,
        cut.grid,
        g=in_order_of(x, g),
        g_u=g_u,
        partials=partials,
        norm_partials=norm_partials,
        GRADIENT=f.device.gradient,
        SUMS=f.sums,
        **tiled(f, x, layout, cut, front),
    )
    return partials, norm_partials


def tiled(f: Parametrised, x: Tensor, layout: Layout, cut: Plan, front: Front) -> dict[str, object]:
    """Return the arguments of every kernel that computes f's argument tile by tile."""
    return {
        "x": x,
        "norm": front.norm,
        "residual": front.residual,
        "parameters": f.pointers(f.orders),
        "n": layout.n,
        "A": layout.A,
        "tiles": cut.tiles,
        "LOAD": f.device.load,
        "S": f.s,
        "K": f.k,
        "SHARED": f.shared_by(layout.A),
        **constants(layout, cut),
    }


def finish(f: Parametrised, partials: Tensor) -> Sequence[Tensor]:
    """Return the gradients of the parameters as they were given, from partial sums."""
    # The two steps from partial sums to gradients are one kernel: a launch costs more than either.
    gradients = tuple(torch.empty_like(parameter) for parameter in f.parameters)
    if gradients:
        sum_rows(partials, f.device.finish, gradients, f.pointers(f.present), f.s)
    return f.pull(*gradients)


def sum_rows(
    partials: Tensor,
    finish: DeviceFunction,
    gradients: tuple[Tensor, ...],
    parameters: tuple[Tensor, ...] = (),
    s: int = 0,
) -> None:
    """Add partial sums (sums, rows, A) over their rows; `finish` stores what follows from them.

    Args:
        partials: contiguous.
        finish: as `Device.finish`.
        gradients: what `finish` stores in.
        parameters: what `finish` reads.
        s: columns of the first parameter.
    """
    sums, rows, A = partials.shape
    block_rows, block_a = summing_blocks(rows, A, sums)
    launch(
        finish_kernel,
        (-(-A // block_a),),
        partials=partials,
        parameters=parameters,
        gradients=gradients,
        rows=rows,
        A=A,
        FINISH=finish,
        SUMS=sums,
        S=s,
        BLOCK_ROWS=block_rows,
        BLOCK_A=block_a,
    )
