"""All functions that have kernels, by name."""

from importlib import import_module

from polyneuron.kernels.function import Function

FAMILIES = (
    "radial",
    "hermite",
    "natural",
    "swish",
    "apl",
    "prelu",
    "srelu",
    "pade",
    "blending",
    "ensemble",
    "relu",
)
"""Folders beside this file. A new one is entered here and nowhere else."""


# By name, as an import statement a family would be a second line to enter it in.
def _registered(family: str) -> Function:
    """The record in a folder's `formula.py`, a constant of the folder's name."""
    formula = import_module(f"polyneuron.kernels.{family}.formula")
    function: Function = getattr(formula, family.upper())
    return function


FUNCTIONS = {family: _registered(family) for family in FAMILIES}


def named(name: str) -> Function:
    """The function of this name: a family, with its order if it has orders.

    Raises:
        ValueError: there is no such family.
    """
    family = name.rstrip("0123456789")
    if family not in FUNCTIONS:
        raise ValueError(f"unknown function {name!r}; known: {', '.join(FUNCTIONS)}")
    function = FUNCTIONS[family]
    return function.of_order(int(name.removeprefix(family))) if name != family else function
