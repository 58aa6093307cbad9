"""Run-time checks of the shapes that polyneuron's signatures state: `Float[Tensor, "A s"]`.

The signatures are text, so that polyneuron imports without jaxtyping. Here the text is evaluated,
and beartype checks arguments and result of every call against it.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import jaxtyping
import torch
from beartype import BeartypeConf
from beartype.door import die_if_unbearable

SHAPED = re.compile(r"\b(Float|Bool|Shaped)\[")
VIOLATION = BeartypeConf(violation_type=TypeError)

enabled = False
"""Turned on while the tests of polyneuron run; the functions of a process are checked for good."""


def install(package: str) -> list[str]:
    """Check the shapes of all functions of a package's loaded modules from now on; name them."""
    checked: dict[FunctionType, Callable[..., Any]] = {}
    for owner, name, function in functions(package):
        if any(SHAPED.search(str(text)) for text in function.__annotations__.values()):
            method: Any = checked.setdefault(function, _checked(function))
            if inspect.isclass(owner):
                is_property = isinstance(vars(owner)[name], property)
                setattr(owner, name, property(method) if is_property else method)
    for module in _modules(package):  # a function stands in its own module and where it is imported
        for name, value in list(vars(module).items()):
            if isinstance(value, FunctionType) and value in checked:
                setattr(module, name, checked[value])
    return [full_name(function) for function in checked]


def functions(package: str) -> Iterator[tuple[Any, str, FunctionType]]:
    """Yield each function of a package's loaded modules, after its module or class and name."""
    for module in _modules(package):
        classes = [c for c in vars(module).values() if inspect.isclass(c)]
        for owner in (module, *(c for c in classes if c.__module__ == module.__name__)):
            for name, value in list(vars(owner).items()):
                function = value.fget if isinstance(value, property) else value
                own = getattr(function, "__module__", None) == module.__name__
                if own and isinstance(function, FunctionType):
                    yield owner, name, function


def full_name(function: FunctionType) -> str:
    """Return the name with its module and class."""
    return f"{function.__module__}.{function.__qualname__}"


def _modules(package: str) -> list[Any]:
    return [m for name, m in sys.modules.items() if f"{name}.".startswith(f"{package}.")]


def _checked(function: FunctionType) -> Callable[..., Any]:
    names = inspect.unwrap(function).__globals__  # torch.no_grad wraps functions too
    hints = {
        name: eval(text, names, vars(jaxtyping))
        for name, text in function.__annotations__.items()
        if SHAPED.search(text)
    }
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        # Called first: what the function itself refuses, it refuses with its own message.
        result = function(*args, **kwargs)
        if not enabled or torch.compiler.is_compiling():
            return result
        values = {**signature.bind(*args, **kwargs).arguments, "return": result}
        with jaxtyping.jaxtyped("context"):  # in which A, s, ... have one size each
            for name, hint in hints.items():
                if name in values:
                    prefix = f"In {function.__qualname__}: {name} "
                    die_if_unbearable(values[name], hint, conf=VIOLATION, exception_prefix=prefix)
        return result

    return checked
