"""What every activation here shares: its scope, its dtype rule, and its curve."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from polyneuron.scope import Channels, check_input, functions_in


class Activation(nn.Module):
    """A activation functions of one layer, each applied elementwise to its share of the input.

    Parameters are (A, ...), one row a function. A child defines `_response`.

    Args:
        channels: None is one function (A = 1) for any input; an int C is one a channel of
            (N, C, ...) (A = C); a tuple is one a neuron: a sample has that shape.

    Attributes:
        functions: A.

    Raises:
        ValueError: `channels` is none of these.
    """

    learned: ClassVar[bool] = True
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
        wide = torch.promote_types(x.dtype, torch.float32)
        with torch.autocast(x.device.type, enabled=False):
            return self._response(x.to(wide)).to(x.dtype)

    @torch.no_grad()
    def curve(self, grid: Tensor) -> Tensor:
        """Values (A, n) of all A functions at the points of a grid (n,), in its dtype."""
        return self._response(grid[:, None].expand(-1, self.functions)).T

    def extra_repr(self) -> str:
        """Show the options that shape the functions."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in (*self.shown, "channels"))

    def _response(self, x: Tensor) -> Tensor:
        """The functions' values at x, float32 or float64, shaped as for `forward`."""
        raise NotImplementedError
