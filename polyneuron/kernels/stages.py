"""Layers that follow one another as one autograd Function: the stages of a chain.

    Pooling       the largest f(x) of each 2x2 window
    Convolution   the largest f(x * weight + bias) of each 2x2 window
    Flattening    x as rows
    Linear        f(x weight^T + bias), or that without f

The maximum is taken over values, as f need not be monotone, with torch's rules for equal values and
NaN. Kept for the backward pass are the x that each window selected and one byte that says which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.kernels.backend import Case
from polyneuron.kernels.choice import backend_for, computes_in_cpp
from polyneuron.kernels.cpp import backend as cpp
from polyneuron.kernels.cpp import stages
from polyneuron.kernels.cpp.linear import (
    flattened,
    linear_backward,
    linear_forward,
    linear_library,
    unflattened,
)
from polyneuron.kernels.cpp.stages import ConvolutionShape
from polyneuron.kernels.function import Function
from polyneuron.kernels.plain import gradients
from polyneuron.kernels.tracing import is_eager

CPU = torch.device("cpu")


class Passed(NamedTuple):
    """What the forward pass of a stage leaves."""

    y: Tensor
    kept: tuple[Tensor, ...]
    """What the backward pass needs besides the stage's tensors."""
    sound: bool
    """False if some function does not exist; its values are NaN."""


class Pulled(NamedTuple):
    """What the backward pass of a stage leaves."""

    g_x: Tensor | None
    """None if it was not asked for."""
    gradients: Sequence[Tensor]
    """Of the stage's tensors."""


class Stage(Protocol):
    """One step of a chain on the CPU, in float32. Its tensors are all that it takes besides x."""

    def forward(self, x: Tensor, tensors: Sequence[Tensor]) -> Passed:
        """Compute the values at x."""

    def backward(
        self, g: Tensor, tensors: Sequence[Tensor], kept: Sequence[Tensor], with_x: bool
    ) -> Pulled:
        """Compute the gradients from g = dL/dy, that of x if `with_x`."""

    def formula(self, x: Tensor, *tensors: Tensor) -> Tensor:
        """Compute the values in torch's own operators."""


@dataclass(frozen=True)
class Pooling:
    """A function of images (N, C, H, W) and 2x2 max pooling. Its tensors are the parameters."""

    function: Function

    def forward(self, x: Tensor, tensors: Sequence[Tensor]) -> Passed:
        """See `Stage`."""
        x = x if x.is_contiguous(memory_format=torch.channels_last) else x.contiguous()
        y, kept, which, sound = stages.pooled_forward(self.function, x, tensors)
        return Passed(y, (x, kept, which), sound)

    def backward(
        self, g: Tensor, tensors: Sequence[Tensor], kept: Sequence[Tensor], with_x: bool
    ) -> Pulled:
        """See `Stage`."""
        x, selected, which = kept
        g, by_parameters = cpp.backward(self.function, g, selected, tensors)
        g_x = stages.pooled_backward(self.function, tensors, x, g, which) if with_x else None
        return Pulled(g_x, by_parameters)

    def formula(self, x: Tensor, *tensors: Tensor) -> Tensor:
        """See `Stage`."""
        return F.max_pool2d(self.function.plain(x, *tensors), 2)


@dataclass(frozen=True)
class Convolution:
    """As `Pooling`, behind a convolution. Its tensors are weight, bias and the parameters."""

    function: Function
    shape: ConvolutionShape

    def values(self, x: Tensor, tensors: Sequence[Tensor]) -> Tensor:
        """Compute what the function receives; no gradients pass."""
        x = x.contiguous(memory_format=torch.channels_last)
        return stages.convolution_values(self.shape, x, tensors[0], tensors[1].contiguous())

    def forward(self, x: Tensor, tensors: Sequence[Tensor]) -> Passed:
        """See `Stage`."""
        x = x.contiguous(memory_format=torch.channels_last)
        weight, bias, *rows = tensors
        found = stages.convolved_forward(self.function, self.shape, x, weight, bias, rows)
        y, kept, which, sound = found
        return Passed(y, (x, kept, which), sound)

    def backward(
        self, g: Tensor, tensors: Sequence[Tensor], kept: Sequence[Tensor], with_x: bool
    ) -> Pulled:
        """See `Stage`."""
        x, selected, which = kept
        weight, _, *rows = tensors
        g, by_parameters = cpp.backward(self.function, g, selected, rows)
        g_x, *others = stages.convolved_backward(self.shape, x, weight, g, which, with_x)
        return Pulled(g_x, (*others, *by_parameters))

    def formula(self, x: Tensor, *tensors: Tensor) -> Tensor:
        """See `Stage`."""
        weight, bias, *rows = tensors
        x = F.conv2d(x, weight, bias, padding=self.shape.padding)
        return F.max_pool2d(self.function.plain(x, *rows), 2)


@dataclass(frozen=True)
class Flattening:
    """Images as rows, in the order (C, H, W)."""

    size: tuple[int, ...]
    """(C, H, W)."""

    def forward(self, x: Tensor, tensors: Sequence[Tensor]) -> Passed:
        """See `Stage`."""
        return Passed(flattened(x) if _is_channels_last(x) else x.flatten(1), (x,), True)

    def backward(
        self, g: Tensor, tensors: Sequence[Tensor], kept: Sequence[Tensor], with_x: bool
    ) -> Pulled:
        """See `Stage`."""
        (x,) = kept
        # Whose memory format the stage before it needs.
        if _is_channels_last(x):
            return Pulled(unflattened(g.contiguous(), self.size), ())
        return Pulled(g.reshape(x.shape), ())

    def formula(self, x: Tensor, *tensors: Tensor) -> Tensor:
        """See `Stage`."""
        return x.flatten(1)


def _is_channels_last(x: Tensor) -> bool:
    return x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Linear:
    """A linear layer of rows (N, in), and a function. Tensors: weight, bias and the parameters."""

    function: Function | None

    def forward(self, x: Tensor, tensors: Sequence[Tensor]) -> Passed:
        """See `Stage`."""
        x = x.contiguous()
        weight, bias, *rows = tensors
        z = linear_forward(x, weight, bias)
        if self.function is None:
            return Passed(z, (x,), True)
        y, sound = cpp.forward(self.function, z, rows)
        return Passed(y, (x, z), sound)

    def backward(
        self, g: Tensor, tensors: Sequence[Tensor], kept: Sequence[Tensor], with_x: bool
    ) -> Pulled:
        """See `Stage`."""
        x, *before = kept
        weight, _, *rows = tensors
        by_parameters: Sequence[Tensor] = ()
        if self.function is not None:
            g, by_parameters = cpp.backward(self.function, g, before[0], rows)
        g_x, *others = linear_backward(g.contiguous(), x, weight, with_x)
        return Pulled(g_x, (*others, *by_parameters))

    def formula(self, x: Tensor, *tensors: Tensor) -> Tensor:
        """See `Stage`."""
        weight, bias, *rows = tensors
        z = F.linear(x, weight, bias)
        return z if self.function is None else self.function.plain(z, *rows)


class Run:
    """Stages that follow one another, each with its tensors."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.counts: list[int] = []
        self.tensors: list[Tensor] = []

    def add(self, stage: Stage, *tensors: Tensor) -> None:
        """Put a stage behind the others."""
        self.stages.append(stage)
        self.counts.append(len(tensors))
        self.tensors += tensors

    def own(self, tensors: Sequence[Tensor]) -> list[Sequence[Tensor]]:
        """Return each stage's share of all tensors."""
        shares, at = [], 0
        for count in self.counts:
            shares.append(tensors[at : at + count])
            at += count
        return shares

    def formula(self, x: Tensor, *tensors: Tensor) -> Tensor:
        """Compute the values in torch's own operators."""
        for stage, own in zip(self.stages, self.own(tensors), strict=True):
            x = stage.formula(x, *own)
        return x

    def __call__(self, x: Tensor) -> Tensor:
        """Return the last stage's values."""
        y: Tensor = _Run.apply(self, x, *self.tensors)
        return y


class _Run(torch.autograd.Function):
    @staticmethod
    def forward(ctx, run, x, *tensors):  # type: ignore[no-untyped-def]
        first, sizes, kept = x, [], []
        # Kernels read a convolution's weight by its strides.
        given = [tensor.contiguous() if tensor.ndim < 4 else tensor for tensor in tensors]
        for stage, own in zip(run.stages, run.own(given), strict=True):
            x, extra, sound = stage.forward(x, own)
            if not sound:  # the plain formulas raise an error that names the function
                run.formula(first, *given)
            kept += extra
            sizes.append(len(extra))
        ctx.run, ctx.sizes = run, sizes
        ctx.save_for_backward(first, *given, *kept)
        return x

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        run, saved = ctx.run, ctx.saved_tensors
        n = 1 + sum(run.counts)
        if torch.is_grad_enabled():
            return None, *gradients(run.formula, saved[:n], g)
        shares, end = run.own(saved[1:n]), len(saved)
        found: list[Tensor] = []
        for i in reversed(range(len(run.stages))):
            kept, end = saved[end - ctx.sizes[i] : end], end - ctx.sizes[i]
            with_x = i > 0 or ctx.needs_input_grad[1]
            g, own = run.stages[i].backward(g, shares[i], kept, with_x)
            found = [*own, *found]
        return None, g, *found


def is_staged(x: Tensor) -> bool:
    """True if stages can take x, as far as the tensor alone decides."""
    return (
        is_eager(x)
        and are_staged(x)
        and min(x.shape, default=0) > 0
        and not torch.is_autocast_enabled("cpu")
    )


def are_staged(*tensors: Tensor) -> bool:
    """True if the kernels of stages can read these tensors."""
    return all(tensor.dtype is torch.float32 and tensor.is_cpu for tensor in tensors)


def has_stage(
    operator: Literal["stage", "linear"],
    function: Function | None,
    channels: int,
    parameters: Sequence[Tensor],
    shape: ConvolutionShape | None = None,
) -> bool:
    """True if there are kernels for a function of so many channels, or features.

    Args:
        operator: as in `Case`.
        function: None for a linear layer alone.
        channels: that the function receives.
        parameters: of the function.
        shape: of the convolution before the function, if there is one.
    """
    if function is None:
        return computes_in_cpp() and linear_library() is not None
    if not are_staged(*parameters):
        return False
    if parameters and parameters[0].shape[0] not in (1, channels):
        return False
    columns = parameters[0].shape[-1] if parameters else 0
    case = Case(operator, function, columns, torch.float32, CPU, convolution=shape)
    return backend_for(case) is cpp
