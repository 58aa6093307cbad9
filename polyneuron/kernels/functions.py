"""The functions that have kernels: each with its plain formula and its C++ type."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from polyneuron.kernels import reference
from polyneuron.natural_spline import natural_spline
from polyneuron.system import raise_if_singular

Parameters = tuple[Tensor, ...]


def _rows(s: int) -> Parameters:
    """Three rows (1, s), the first ascending and all of them smooth."""
    row = torch.linspace(-1.0, 1.0, s)[None]
    return row, 0.1 + row.square(), 0.2 - 0.1 * row


def _row(s: int) -> Parameters:
    return _rows(s)[1:2]


def _two_rows(s: int) -> Parameters:
    return _rows(s)[:2]


def _rows_and_line(s: int) -> Parameters:
    return *_rows(s)[:2], torch.tensor([[0.5, -0.25]])


@dataclass(frozen=True, eq=False)  # each is one object, which is found faster by what it is
class Function:
    """An activation function of x and parameters, each (A, ...) with one row a function."""

    family: str
    """What kernels/gpu calls it."""
    plain: Callable[..., Tensor]
    """plain(x, *parameters) as the formula reads, differentiable by autograd."""
    template: str
    """Its type in kernels/cpp, with the columns of the first parameter to be filled in."""
    example: Callable[[int], Parameters]
    """Parameters of one function, the first with so many columns, on which to try a kernel."""
    order: int = 0
    """Of a member of a family that has orders: k."""

    @property
    def name(self) -> str:
        """Family and order."""
        return f"{self.family}{self.order or ''}"

    def cpp(self, s: int) -> str:
        """The C++ type where the first parameter is (A, s)."""
        return self.template.format(s=s)


def radial(k: int) -> Function:
    """Eq. 1 of order k; its parameters are c_x (A, s), w (A, s) and v (A, 2)."""
    # By hand: functools.cache makes torch.compile warn that it looks through it.
    if k not in _RADIAL:
        plain = partial(reference.evaluate, k=k)
        _RADIAL[k] = Function("radial", plain, f"Radial<{{s}}, {k}>", _rows_and_line, k)
    return _RADIAL[k]


_RADIAL: dict[int, Function] = {}

HERMITE = Function("hermite", reference.evaluate_hermite, "Hermite<{s}>", _rows)
"""The cubic Hermite spline with straight tails; knots (A, s) ascending, heights, slopes."""


def _through_points(x: Tensor, c_x: Tensor, c_y: Tensor) -> Tensor:
    knots, heights, m, singular = natural_spline(c_x, c_y)
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        m = m.masked_fill(singular[:, None], float("nan"))
    else:
        raise_if_singular(singular, c_x, c_y, 3)
    return reference.evaluate_hermite(x, knots, heights, m)


NATURAL = Function("natural", _through_points, "Natural<{s}>", _two_rows)
"""The natural cubic spline through control points c_x and c_y (A, s): Eq. 2 and 1 for k = 3."""
SWISH = Function("swish", reference.swish, "Swish", lambda _: (torch.ones(1),))
"""x sigmoid(beta x); beta (A,)."""
APL = Function("apl", reference.apl, "Apl<{s}>", _two_rows)
"""max(0, x) + sum_i a_i max(0, b_i - x); a and b (A, s)."""
PRELU = Function("prelu", reference.prelu, "Prelu", lambda _: (torch.full((1,), 0.25),))
"""max(0, x) + a min(0, x); a (A,)."""
SRELU = Function("srelu", reference.srelu, "Srelu", _row)
"""Three straight pieces; t_left, a_left, t_right, a_right as the columns of one (A, 4)."""
PADE = Function("pade", reference.pade, "Pade<{s}>", lambda s: (*_row(s), *_row(s - 2)))
"""A polynomial by 1 + |another|; numerator a (A, s), denominator b (A, s - 2) from b_1 on."""
BLENDING = Function("blending", reference.blending, "Blending", _row)
"""A weighted sum of tanh, ELU, ReLU, identity and SiLU; weights (A, 5)."""
ENSEMBLE = Function("ensemble", reference.ensemble, "Ensemble", _row)
"""A weighted sum of sigmoid, tanh, ReLU and 1; weights (A, 4)."""
RELU = Function("relu", torch.relu, "Relu", lambda _: ())

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
