"""The passes over memory that make up every operator: evaluate, sum, finish."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from polyneuron.kernels.gpu.functions import FUNCTIONS, DeviceFunction, Function
from polyneuron.kernels.gpu.layout import (
    THREADS,
    Layout,
    Plan,
    constants,
    in_order_of,
    plan,
    summing_blocks,
)
from polyneuron.kernels.gpu.skeleton import evaluate_kernel, finish_kernel, gradient_kernel

WARPS = THREADS // 32


@dataclass(frozen=True)
class Parametrised:
    """An activation function with its parameters.

    Attributes:
        name: a key of `FUNCTIONS`.
        parameters: at most three contiguous float32 tensors (A, ...).
        k: order of "radial", 0 elsewhere.
        orders: order of every row (A,), an integer of at most k; None is k throughout.
        present: (A, s), 0 where a row has fewer than s control points; None is s throughout.
    """

    name: str
    parameters: tuple[Tensor, ...]
    k: int = 0
    orders: Tensor | None = None
    present: Tensor | None = None

    @property
    def function(self) -> Function:
        """The device functions."""
        return FUNCTIONS[self.name]

    @property
    def s(self) -> int:
        """Control points, knots or hinges of a function."""
        first = self.parameters[0] if self.parameters else None
        return first.shape[1] if first is not None and first.ndim == 2 else 0

    @property
    def sums(self) -> int:
        """How many sums over x the gradients of the parameters need."""
        return self.function.sums(self.s)

    def shared_by(self, columns: int) -> bool:
        """Whether one row of parameters serves several columns of x."""
        return bool(self.parameters) and self.parameters[0].shape[0] == 1 < columns

    def pointers(self, last: Tensor | None) -> dict[str, Tensor | None]:
        """The kernels' arguments p0 to p3."""
        padded = (*self.parameters, None, None, None)[:3]
        return dict(zip(("p0", "p1", "p2", "p3"), (*padded, last), strict=True))


@dataclass(frozen=True)
class Front:
    """What stands between x and f: u = (x - mean) rstd weight + bias + residual, or nothing.

    All but the residual, which is like x, are float32 (C,).
    """

    mean: Tensor | None = None
    rstd: Tensor | None = None
    weight: Tensor | None = None
    bias: Tensor | None = None
    residual: Tensor | None = None


NOTHING = Front()


def parametrised(
    name: str,
    *parameters: Tensor,
    k: int = 0,
    orders: Tensor | None = None,
    present: Tensor | None = None,
) -> Parametrised:
    """Return a function whose parameters lie as the kernels read them.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in FUNCTIONS:
        raise ValueError(f"unknown function {name!r}; known: {', '.join(FUNCTIONS)}")
    tensors = tuple(parameter.float().contiguous() for parameter in parameters)
    orders = None if orders is None else orders.to(torch.int32).contiguous()
    present = None if present is None else present.to(torch.int32).contiguous()
    return Parametrised(name, tensors, k, orders, present)


def evaluate(f: Parametrised, x: Tensor, layout: Layout, front: Front = NOTHING) -> Tensor:
    """Return y = f(u), like the dense x."""
    y = torch.empty_like(x)
    if x.numel():
        cut = plan(layout, 0, f.sums)
        launch(
            evaluate_kernel,
            cut.grid,
            y=y,
            VALUE=f.function.value,
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
    norm_sums = 0 if front.mean is None else 2
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
        GRADIENT=f.function.gradient,
        SUMS=f.sums,
        **tiled(f, x, layout, cut, front),
    )
    return partials, norm_partials


def tiled(f: Parametrised, x: Tensor, layout: Layout, cut: Plan, front: Front) -> dict[str, object]:
    """Return the arguments of every kernel that computes f's argument tile by tile."""
    return {
        "x": x,
        **vars(front),
        **f.pointers(f.orders),
        "n": layout.n,
        "A": layout.A,
        "tiles": cut.tiles,
        "LOAD": f.function.load,
        "S": f.s,
        "K": f.k,
        "SHARED": f.shared_by(layout.A),
        **constants(layout, cut),
    }


def finish(f: Parametrised, partials: Tensor) -> tuple[Tensor, ...]:
    """Return the gradients of f's parameters from partial sums (sums, rows, A)."""
    gradients = tuple(torch.empty_like(parameter) for parameter in f.parameters)
    if gradients:
        sum_rows(partials, f.function.finish, gradients, f)
    return gradients


def sum_rows(
    partials: Tensor,
    function: DeviceFunction,
    results: tuple[Tensor, ...],
    f: Parametrised | None = None,
) -> None:
    """Add partial sums (sums, rows, A) over their rows; `function` stores what follows from them.

    Args:
        partials: contiguous.
        function: as `Function.finish`.
        results: at most three tensors.
        f: whose parameters and padding `function` reads.
    """
    f = f or Parametrised("relu", ())
    sums, rows, A = partials.shape
    block_rows, block_a = summing_blocks(rows, A, sums)
    launch(
        finish_kernel,
        (-(-A // block_a),),
        partials=partials,
        **f.pointers(f.present),
        **dict(zip(("g0", "g1", "g2"), (*results, None, None, None), strict=False)),
        rows=rows,
        A=A,
        FINISH=function,
        SUMS=sums,
        S=f.s,
        BLOCK_ROWS=block_rows,
        BLOCK_A=block_a,
    )


def launch(kernel: Any, grid: tuple[int, ...], **arguments: object) -> None:
    """Start a kernel on the device of its first tensor."""
    device = next(a.device for a in arguments.values() if isinstance(a, Tensor))
    on_device: Callable[[], AbstractContextManager[object]] = (
        (lambda: torch.cuda.device(device)) if device.type == "cuda" else nullcontext
    )
    with on_device():
        kernel[grid](**arguments, num_warps=WARPS, enable_fp_fusion=True)
