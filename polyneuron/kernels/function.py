"""The record of an activation function that has kernels."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

Parameters = tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)  # one object a function: a hash of the fields would cost more
class Function:
    """An activation function of x and parameters, each (A, ...) with one row a function.

    Its folder `polyneuron/kernels/<family>` holds the formula in `formula.py`, the Triton code in
    `device.py` and the C++ code in `<family>.hpp`.
    """

    family: str
    """The name of the folder."""
    plain: Callable[..., Tensor]
    """plain(x, *parameters) as the formula reads, differentiable by autograd."""
    cpp_type: str
    """The struct in `<family>.hpp`; {s} stands for the columns of the first parameter, {k} for
    the order."""
    example: Callable[[int], Parameters]
    """Makes parameters of one function, with so many columns in the first: a kernel is tried on
    them before its first use."""
    order: int = 0
    """k of a member of a family that has orders."""
    solved_as: "Function | None" = None
    """The function of the knots, heights and slopes that solving for control points gives. A
    backend without code for this function evaluates that one."""
    members: dict[int, "Function"] = field(default_factory=dict, init=False, repr=False)
    """The members of a family that have been asked for, by order."""

    @property
    def name(self) -> str:
        """Family and order, as torch's operators pass a function on."""
        return f"{self.family}{self.order or ''}"

    def of_order(self, k: int) -> "Function":
        """The member of order k, of whose family `self` is the formula for any k."""
        # By hand: functools.cache makes torch.compile warn that it looks through it.
        if k not in self.members:
            self.members[k] = replace(self, plain=partial(self.plain, k=k), order=k)
        return self.members[k]

    def cpp(self, s: int) -> str:
        """The C++ type where the first parameter is (A, s)."""
        return self.cpp_type.format(s=s, k=self.order)


def smooth_rows(s: int) -> Parameters:
    """Three example rows (1, s), all smooth and the first ascending."""
    row = torch.linspace(-1.0, 1.0, s)[None]
    return row, 0.1 + row.square(), 0.2 - 0.1 * row


def smooth_row(s: int) -> Parameters:
    """One example row (1, s)."""
    return smooth_rows(s)[1:2]


def two_smooth_rows(s: int) -> Parameters:
    """Two example rows (1, s), the first ascending."""
    return smooth_rows(s)[:2]
