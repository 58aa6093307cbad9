"""What every activation here shares: its scope, its dtype rule, and its curve."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from polyneuron.kernels.function import Function
from polyneuron.kernels.operators import apply
from polyneuron.kernels.plain import wide_dtype
from polyneuron.scope import Channels, check_input, functions_in


class Activation(nn.Module):
    """A activation functions of one layer, each applied elementwise to its share of the input.

    Parameters are (A, ...), one row a function. A child defines `kernel` or, where its function has
    none, `_response`.

    Args:
        channels: None is one function (A = 1) for any input; an int C is one a channel of
            (N, C, ...) (A = C); a tuple is one a neuron: a sample has that shape.

    Attributes:
        functions: A.

    Raises:
        ValueError: `channels` is none of these.
    """

    learned: ClassVar[bool] = True
    splines: ClassVar[bool] = False
    """True where options s and k are a number of control points and an order of U_k."""
    penalised: ClassVar[bool] = False
    """True where eq. 4 penalises the function, by its attributes w and c_x."""
    shown: ClassVar[tuple[str, ...]] = ()
    """Attributes that `repr` shows besides the channels."""

    def __init__(self, channels: Channels = None) -> None:
        super().__init__()
        self.functions = functions_in(channels)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """Apply each function to its share of x; half precision computes in float32.

        Raises:
            ValueError: x does not fit `channels`, or has no floating-point dtype.
        """
        check_input(x, self.channels)
        if not torch.is_autocast_enabled(x.device.type):
            return self._widened_response(x)
        with torch.autocast(x.device.type, enabled=False):
            return self._widened_response(x)

    def kernel(self) -> tuple[Function, tuple[Tensor, ...]] | None:
        """The function of `polyneuron.kernels` that this is, and its parameters (A, ...)."""
        return None

    @torch.no_grad()
    def curve(self, grid: Tensor) -> Tensor:
        """Values (A, n) of all A functions at the points of a grid (n,), in its dtype."""
        return self._response(grid[:, None].expand(-1, self.functions)).T

    def extra_repr(self) -> str:
        """Show the options that shape the functions."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in (*self.shown, "channels"))

    def _widened_response(self, x: Tensor) -> Tensor:
        kernel = self.kernel()
        if kernel is not None:
            return apply(kernel[0], x, kernel[1])
        return self._response(x.to(wide_dtype(x))).to(x.dtype)

    def _response(self, x: Tensor) -> Tensor:
        """The functions' values at x, float32 or float64, shaped as for `forward`."""
        kernel = self.kernel()
        assert kernel is not None, f"{type(self).__name__} defines neither kernel nor _response"
        return apply(kernel[0], x, kernel[1])
