"""Optional packages, and how to install one that is missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from analysis.store.errors import PlainError


class NotInstalledError(PlainError, RuntimeError):
    """A package is not installed; the message says how to install it."""


def optional(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional module.

    Raises:
        NotInstalledError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise NotInstalledError(
            f"{purpose} needs {module.replace('_', '-')}, which is not installed:"
            f" pip install 'polyneuron-sweeps[{extra}]'"
        ) from None
