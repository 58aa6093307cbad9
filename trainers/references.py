"""References of the form `module:name`, by which a record names code that is loaded at use."""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import Any


def resolve(reference: str) -> Any:
    """Import the module of `module:name` and return the object that has the name there.

    Raises:
        ValueError: no reference, no such module, or no such name in the module. An error that
            the module itself raises while it is imported is passed on.
    """
    module_name, colon, name = reference.partition(":")
    if not (module_name and colon and name):
        raise ValueError(f"expected module:name, as my_networks:build; got {reference!r}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that lacks one of its own imports is found, and broken.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ValueError(
            f"{reference}: no module {error.name!r}; put its folder on PYTHONPATH"
        ) from None
    if not hasattr(module, name):
        close = difflib.get_close_matches(name, dir(module), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"{reference}: {module_name} has no {name!r}{hint}")
    return getattr(module, name)


def place_of(reference: str) -> str:
    """Return a reference to a function with its file and line, as far as they are known."""
    try:
        found = resolve(reference)
        file = inspect.getsourcefile(found) or ""
        return f"{reference} ({file}:{inspect.getsourcelines(found)[1]})"
    except (OSError, TypeError, ValueError):
        return reference
