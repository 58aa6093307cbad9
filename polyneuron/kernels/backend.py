"""A backend computes functions, batch norms before them and splines: what each one offers.

There are three, all modules: compiled C++ (`cpp.backend`), Triton (`gpu.backend`) and the plain
formulas (`plain`). `choice.backend_for` chooses.
"""

import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from polyneuron.kernels.function import Function


class KernelWarning(UserWarning):
    """There are no fast kernels here; the plain formulas run in their place."""


@functools.cache
def warn_of_plain_formulas(reason: str) -> None:
    """Say, once a reason, that there are no fast kernels."""
    warnings.warn(
        f"activations run as plain formulas, several times slower: {reason}",
        KernelWarning,
        stacklevel=2,
    )


@dataclass(frozen=True)
class BatchNorm:
    """A batch norm of C channels, float32 throughout."""

    weight: Tensor
    """(C,), without gaps in memory, like all that follow."""
    bias: Tensor
    running: tuple[Tensor, Tensor] | None
    """Mean and unbiased variance (C,); training updates them in place."""
    momentum: float
    eps: float
    training: bool

    @property
    def by_batch(self) -> bool:
        """True if the batch's own mean and variance normalise it."""
        return self.training or self.running is None


class Normalised(NamedTuple):
    """A function behind a batch norm and a residual: y = f(norm(z) + residual)."""

    function: Function
    z: Tensor
    """(N, C, ...), more than one value a channel."""
    residual: Tensor | None
    """In z's shape, dtype and memory format."""
    norm: BatchNorm
    parameters: Sequence[Tensor]
    """Parameters of the function, (1, ...) or (C, ...) without gaps in memory; none for ReLU."""


class Splines(NamedTuple):
    """Natural cubic splines through control points, as Hermite splines."""

    knots: Tensor
    """(A, s), ascending."""
    heights: Tensor
    """(A, s), at the knots."""
    m: Tensor
    """Slopes (A, s) at the knots; not finite where no unique spline exists."""
    order: Tensor
    """For each knot its column among the control points (A, s)."""


class Case(NamedTuple):
    """An operator as far as its kernel depends on it. Backends are chosen, and checked, by case."""

    operator: Literal["pointwise", "norm", "solve", "stage", "linear"]
    """A function of x, the same after a batch norm, the solving for a natural spline, a function
    before 2x2 max pooling, or one behind a linear layer."""
    function: Function
    columns: int
    """Of the function's first parameter, 0 where there is none."""
    dtype: torch.dtype
    device: torch.device
    # The rest is of a norm alone.
    shared: bool = False
    """All channels share one function."""
    channels_last: bool = False
    residual: bool = False
    training: bool = False
    # And this of a stage: see `cpp.stages.ConvolutionShape`.
    convolution: tuple[int, ...] | None = None
    """Shape of the convolution before the function, if there is one."""


class Backend(Protocol):
    """One way to compute.

    Tensors come on one device and in dtypes for which the backend supports the case; gradients of
    parameters have the parameters' dtype, all others that of x or z. Nothing here is seen by
    autograd.
    """

    def supports(self, case: Case) -> bool:
        """True if the backend computes this case, and computes it right."""

    def forward(
        self, function: Function, x: Tensor, parameters: Sequence[Tensor]
    ) -> tuple[Tensor, bool]:
        """Compute a function of x.

        Args:
            function: of the case that the backend supports.
            x: any shape with A = 1; (N, C, ...) with A = C or A = the elements of a sample.
            parameters: each (A, ...), at least one.

        Returns:
            y in x's shape, dtype and memory format, and False if some function does not exist
            (control points that coincide). Its values are then NaN.
        """

    def backward(
        self, function: Function, g: Tensor, x: Tensor, parameters: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """dL/dx and the gradients of the parameters, from g = dL/dy."""

    def norm_forward(self, of: Normalised) -> tuple[Tensor, Tensor, bool]:
        """Compute a function behind a batch norm.

        In training the running statistics take in the batch's.

        Returns:
            y like z, statistics (2, C) for `norm_backward`, and False as in `forward`.
        """

    def norm_backward(
        self, of: Normalised, g: Tensor, statistics: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Gradients of z, residual, weight, bias and the parameters, from g = dL/dy."""

    def norm_variance(self, norm: BatchNorm, statistics: Tensor) -> Tensor:
        """Variance (C,) by which `norm_forward` normalised; its mean is statistics[0]."""

    def solve(self, c_x: Tensor, c_y: Tensor) -> Splines:
        """Solve for the splines through control points (A, s) in any order."""

    def solve_backward(
        self, splines: Splines, g_knots: Tensor, g_heights: Tensor, g_m: Tensor
    ) -> tuple[Tensor, Tensor]:
        """dL/dc_x and dL/dc_y from the gradients of knots, heights and slopes."""
