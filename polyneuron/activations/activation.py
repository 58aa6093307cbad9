"""The base of every activation: its scope, its dtype rule, its curve, and its class attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from polyneuron.kernels.function import Function
from polyneuron.kernels.operators import apply
from polyneuron.kernels.plain import wide_dtype
from polyneuron.scope import Channels, check_input, functions_in

if TYPE_CHECKING:
    from jaxtyping import Float


class Activation(nn.Module):
    """A activation functions of one layer, each applied elementwise to its share of the input.

    Parameters are (A, ...), one row per function. A child defines `kernel` or, where its function
    has none, `_response`. `polyneuron.testing` has the tests that every child passes.

    Args:
        channels: None is one function (A = 1) for any input; an int C is one per channel of
            (N, C, ...) (A = C); a tuple is one per neuron: a sample has that shape.

    Attributes:
        functions: A.

    Raises:
        ValueError: `channels` is none of these.
    """

    learned: ClassVar[bool] = True
    """False for a fixed function: it has no parameters, and A = 1 in every scope."""
    splines: ClassVar[bool] = False
    """True where options s and k are a number of control points and an order of U_k."""
    penalised: ClassVar[bool] = False
    """True where Eq. 4 penalises the functions, by their parameters w and c_x (A, s)."""
    shown: ClassVar[tuple[str, ...]] = ()
    """Attributes that `repr` shows besides the channels."""

    def __init__(self, channels: Channels = None) -> None:
        super().__init__()
        self.functions = functions_in(channels)
        self.channels = channels

    def forward(self, x: Float[Tensor, "*x"]) -> Float[Tensor, "*x"]:
        """Return each function's values at its share of x; half precision computes in float32.

        Raises:
            ValueError: x does not fit `channels`, or has no floating-point dtype.
        """
        check_input(x, self.channels)
        if not torch.is_autocast_enabled(x.device.type):
            return self._widened_response(x)
        # Autocast would narrow matrix products in a child's `_response`, and those of the solver.
        with torch.autocast(x.device.type, enabled=False):
            return self._widened_response(x)

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]] | None:
        """Return the activation's function in `polyneuron.kernels` and its parameters (A, ...).

        None means that there is no such function, and that `_response` computes the values.
        """
        return None

    def points(self) -> tuple[Float[Tensor, "A s"], Float[Tensor, "A s"]] | None:
        """Return the control points c_x and c_y of all functions; None where they have none."""
        return None

    @torch.no_grad()
    def curve(self, grid: Float[Tensor, " n"]) -> Float[Tensor, "A n"]:
        """Return the values of all A functions at the points of a grid, in its dtype."""
        return self._response(grid[:, None].expand(-1, self.functions)).T

    def extra_repr(self) -> str:
        """Return the options that `repr` shows."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in (*self.shown, "channels"))

    def _widened_response(self, x: Tensor) -> Tensor:
        kernel = self.kernel()
        if kernel is not None:
            return apply(kernel[0], x, kernel[1])
        # Kernels widen half precision as they read it; a formula needs a widened copy.
        return self._response(x.to(wide_dtype(x))).to(x.dtype)

    def _response(self, x: Tensor) -> Tensor:
        """Return the functions' values at x, float32 or float64, shaped as for `forward`."""
        kernel = self.kernel()
        assert kernel is not None, f"{type(self).__name__} defines neither kernel nor _response"
        return apply(kernel[0], x, kernel[1])
