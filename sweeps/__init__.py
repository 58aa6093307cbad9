"""Hyperparameter sweeps over learned activation functions, from Python as from the command line.

    import sweeps

    results = sweeps.run("quickstart", settings=["search.trials=4"])
    results.trials.nsmallest(3, "objective")
    sweeps.load("quickstart").epochs

The import itself is light: torch, ray and optuna are loaded by the first call that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweeps.api import load, resume, run, watch

__all__ = ["load", "resume", "run", "watch"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("sweeps.api"), name)
    raise AttributeError(f"module 'sweeps' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
