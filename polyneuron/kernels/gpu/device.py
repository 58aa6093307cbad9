"""The device functions of a family, which its folder's `device.py` defines."""

import functools
from importlib import import_module
from typing import Any, Protocol, cast

DeviceFunction = Any
"""A function as `triton.jit` makes it, which has no type of its own when interpreted."""


class Device(Protocol):
    """The device functions of one activation function, for a tile of x whose columns are functions.

    `parameters` and `gradients` are tuples of pointers in the order of the function's parameters.
    """

    load: DeviceFunction
    """(parameters, row, inside, S) -> coefficients of the tile's columns."""
    value: DeviceFunction
    """(x, coefficients, S, K) -> y."""
    gradient: DeviceFunction
    """(x, g, coefficients, S, K) -> (g dy/dx, terms of the sums over x)."""
    finish: DeviceFunction
    """(sums, parameters, gradients, row, inside, S), stores the gradients of the parameters."""

    def sums(self, s: int) -> int:
        """Return the number of sums over x that the gradients need, by s of the parameters."""


@functools.cache
def device_of(family: str) -> Device:
    """Import the device functions of a family."""
    return cast(Device, import_module(f"polyneuron.kernels.{family}.device"))
