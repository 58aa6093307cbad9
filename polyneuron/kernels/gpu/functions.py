"""The activation functions that the skeleton evaluates, each as four device functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from polyneuron.kernels.gpu import apl, blend, hermite, pade, prelu, radial, relu, srelu, swish

DeviceFunction = Any
"""What `triton.jit` makes of a function; it has no type of its own when interpreted."""


@dataclass(frozen=True)
class Function:
    """How one activation function works on a tile of x whose columns are functions.

    Attributes:
        load: (four pointers, row, inside, S) -> coefficients of the tile's columns.
        value: (x, coefficients, S, K) -> y.
        gradient: (x, g, coefficients, S, K) -> (g dy/dx, terms of the sums over x).
        finish: (sums, four pointers, three pointers to gradients, row, inside, S), stores the
            gradients of the parameters; None where there are none.
        sums: how many sums over x the gradients need, by s.
    """

    load: DeviceFunction
    value: DeviceFunction
    gradient: DeviceFunction
    finish: DeviceFunction | None
    sums: Callable[[int], int]


FUNCTIONS: Mapping[str, Function] = {
    "radial": Function(
        radial.load, radial.value, radial.gradient, radial.finish, lambda s: 2 * s + 2
    ),
    "hermite": Function(
        hermite.load, hermite.value, hermite.gradient, hermite.finish, lambda s: 3 * s
    ),
    "swish": Function(swish.load, swish.value, swish.gradient, swish.finish, lambda s: 1),
    "apl": Function(apl.load, apl.value, apl.gradient, apl.finish, lambda s: 2 * s),
    "prelu": Function(prelu.load, prelu.value, prelu.gradient, prelu.finish, lambda s: 1),
    "srelu": Function(srelu.load, srelu.value, srelu.gradient, srelu.finish, lambda s: s),
    "pade": Function(pade.load, pade.value, pade.gradient, pade.finish, lambda s: 2 * s - 2),
    "blending": Function(
        blend.load, blend.blending_value, blend.blending_gradient, blend.finish, lambda s: s
    ),
    "ensemble": Function(
        blend.load, blend.ensemble_value, blend.ensemble_gradient, blend.finish, lambda s: s
    ),
    "relu": Function(relu.load, relu.value, relu.gradient, None, lambda s: 0),
}
