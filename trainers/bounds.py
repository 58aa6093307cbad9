"""Bounds of a setting, written once, in the annotation of its field.

The dataclass that has the field checks them when it is made, pydantic when it reads a
specification, and the JSON schema of specifications shows them to editors.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import make_dataclass
from importlib.util import find_spec
from itertools import repeat
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

if TYPE_CHECKING or find_spec("annotated_types"):
    from annotated_types import Ge as Ge
    from annotated_types import Gt as Gt
    from annotated_types import Lt as Lt
    from annotated_types import Predicate
else:  # a machine that only trains may have torch and no more: nothing there reads a specification
    Ge, Gt, Lt, Predicate = (
        make_dataclass(name, ["bound"], frozen=True) for name in ("Ge", "Gt", "Lt", "Predicate")
    )

FINITE = Predicate(math.isfinite)

Count = Annotated[int, Ge(1)]
Positive = Annotated[float, Gt(0), FINITE]
NotNegative = Annotated[float, Ge(0), FINITE]


def check_bounds(settings: object) -> None:
    """Check each field of a dataclass against the bounds in its annotation.

    Raises:
        ValueError: a value is out of bounds; see `out_of_bounds` for the message.
    """
    owner: type = type(settings)
    for name, hint in _hints(owner).items():
        value = getattr(settings, name)
        for number, bounds in _bounded(hint, value):
            if not all(_meaning(bound)[1](number) for bound in bounds):
                raise ValueError(out_of_bounds(owner, name, value))


def out_of_bounds(owner: type, name: str, value: object) -> str:
    """Say which values the field `name` of the dataclass `owner` takes, and which one came."""
    hint = _hints(owner)[name]
    words = [_meaning(bound)[0] for bound in _first_bounds(hint) if bound != FINITE]
    noun = "a finite number, " if FINITE in _first_bounds(hint) else ""
    noun = "numbers " if get_origin(hint) is tuple else noun
    return f"{name}: expected {noun}{' and '.join(words)}; got {value!r}"


def check_name(name: str, known: Collection[str]) -> None:
    """Check the field `name` of a section that names one of the `known` things.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
    """
    if name not in known:
        *others, last = (repr(one) for one in known)
        names = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"name: expected {names}; got {name!r}")


def check_reference(name: str, known: Collection[str], *prefixes: str) -> None:
    """Check the field `name` of a section that names a known thing, or `module:name` of any other.

    Args:
        name: the name.
        known: names of ours.
        prefixes: words before a colon after which anything may follow.

    Raises:
        ValueError: an unknown name, or a reference without a module or a name.
    """
    if ":" not in name:
        check_name(name, known)
        return
    names = name.replace(":", ".", 1).split(".")
    if not name.startswith(prefixes) and not all(part.isidentifier() for part in names):
        raise ValueError(f"name: expected module:function, as my_models:build; got {name!r}")


# Every trial makes these dataclasses, and resolving annotations takes longer than the check.
@functools.cache
def _hints(owner: type) -> dict[str, Any]:
    return get_type_hints(owner, include_extras=True)


def _bounded(hint: Any, value: Any) -> Iterator[tuple[Any, tuple[object, ...]]]:
    """Yield each number in a field's value with its bounds; None has none."""
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        yield value, hint.__metadata__
    elif get_origin(hint) is tuple:
        kinds = repeat(arguments[0]) if arguments[-1] is Ellipsis else arguments
        for item, kind in zip(value, kinds, strict=False):
            yield from _bounded(kind, item)
    elif NoneType in arguments and value is not None:
        yield from _bounded(arguments[0], value)


def _first_bounds(hint: Any) -> tuple[object, ...]:
    while get_origin(hint) is not Annotated:
        hint = get_args(hint)[0]
    return tuple(hint.__metadata__)


def _meaning(bound: object) -> tuple[str, Callable[[Any], bool]]:
    """Return a bound in words and as a test of a number."""
    match bound:
        case Ge(low):
            return f"at least {low}", lambda number: number >= low
        case Gt(low):
            return f"above {low}", lambda number: number > low
        case Lt(high):
            return f"below {high}", lambda number: number < high
        case Predicate(holds):
            return "finite", holds
    # An annotation that is not understood would be a bound that nobody checks.
    raise TypeError(f"a bound is one of Ge, Gt, Lt, FINITE; got {bound!r}")
