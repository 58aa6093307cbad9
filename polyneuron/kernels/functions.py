"""The functions that have kernels: each with its plain formula and its C++ type."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from polyneuron.kernels import reference
from polyneuron.natural_spline import natural_spline
from polyneuron.system import raise_if_singular


@dataclass(frozen=True)
class Function:
    """An activation function of x and parameters, each (A, ...) with one row a function."""

    name: str
    plain: Callable[..., Tensor]
    """plain(x, *parameters) as the formula reads, differentiable by autograd."""
    template: str
    """Its type in kernels/cpp, with the columns of the first parameter to be filled in."""

    def cpp(self, s: int) -> str:
        """The C++ type where the first parameter is (A, s)."""
        return self.template.format(s=s)


@functools.cache
def radial(k: int) -> Function:
    """Eq. 1 of order k; its parameters are c_x (A, s), w (A, s) and v (A, 2)."""
    return Function(f"radial{k}", partial(reference.evaluate, k=k), f"Radial<{{s}}, {k}>")


HERMITE = Function("hermite", reference.evaluate_hermite, "Hermite<{s}>")
"""The cubic Hermite spline with straight tails; knots (A, s) ascending, heights, slopes."""


def _through_points(x: Tensor, c_x: Tensor, c_y: Tensor) -> Tensor:
    knots, heights, m, singular = natural_spline(c_x, c_y)
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        m = m.masked_fill(singular[:, None], float("nan"))
    else:
        raise_if_singular(singular, c_x, c_y, 3)
    return reference.evaluate_hermite(x, knots, heights, m)


NATURAL = Function("natural", _through_points, "Natural<{s}>")
"""The natural cubic spline through control points c_x and c_y (A, s): Eq. 2 and 1 for k = 3."""
SWISH = Function("swish", reference.swish, "Swish")
"""x sigmoid(beta x); beta (A,)."""
APL = Function("apl", reference.apl, "Apl<{s}>")
"""max(0, x) + sum_i a_i max(0, b_i - x); a and b (A, s)."""
PRELU = Function("prelu", reference.prelu, "Prelu")
"""max(0, x) + a min(0, x); a (A,)."""
SRELU = Function("srelu", reference.srelu, "Srelu")
"""Three straight pieces; t_left, a_left, t_right, a_right as the columns of one (A, 4)."""
PADE = Function("pade", reference.pade, "Pade<{s}>")
"""A polynomial by 1 + |another|; numerator a (A, s), denominator b (A, s - 2) from b_1 on."""
BLENDING = Function("blending", reference.blending, "Blending")
"""A weighted sum of tanh, ELU, ReLU, identity and SiLU; weights (A, 5)."""
ENSEMBLE = Function("ensemble", reference.ensemble, "Ensemble")
"""A weighted sum of sigmoid, tanh, ReLU and 1; weights (A, 4)."""
RELU = Function("relu", torch.relu, "Relu")

_FIXED = {
    function.name: function
    for function in (
        *(HERMITE, NATURAL, SWISH, APL, RELU),
        *(PRELU, SRELU, PADE, BLENDING, ENSEMBLE),
    )
}


def named(name: str) -> Function:
    """The function of this name, which is how torch's operators pass one on."""
    return _FIXED.get(name) or radial(int(name.removeprefix("radial")))
