"""A training function of a user's own, as a specification names it: found, checked, hashed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.spec.errors import SpecError
from sweeps.spec.own_modules import OwnModules, imported, is_own
from trainers.function import arguments_of


def complete_trainer(full: dict[str, Any], folder: Path) -> None:
    """Complete the section that names a training function, if there is one.

    Args:
        full: the specification; a section that is complete stays as it is.
        folder: of the specification, below which the user's modules are.

    Raises:
        SpecError: no such module or function, or it takes other arguments.
    """
    part = full.get("trainer")
    if not isinstance(part, Mapping) or part.get("code"):
        return
    name = part.get("name")
    if not isinstance(name, str) or not is_own(name):
        raise SpecError(f"trainer: expected module:function, as train_mine:train; got {name!r}")
    modules = OwnModules(name, folder)
    modules.use()
    function = imported(name)
    if not callable(function):
        raise SpecError(f"trainer: {name} is no function; got {type(function).__name__}")
    try:
        arguments_of(function, name)
    except ValueError as error:
        raise SpecError(f"trainer: {error}") from None
    full["trainer"] = {**part, "code": modules.code}
