"""Pydantic's errors in the words of whoever wrote the YAML."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sweeps.spec.domain import Domain
from sweeps.spec.errors import OTHER_WORDS, SpecError, hint
from sweeps.spec.sections import SweepSpec
from trainers.bounds import out_of_bounds

SHOWN_ERRORS = 10
SHOWN_CHARACTERS = 80
OUT_OF_BOUNDS = ("greater_than", "greater_than_equal", "less_than", "predicate_failed")
"""Pydantic's errors for a number that the annotation of its field refuses."""
TYPOS = ("extra_forbidden", "unexpected_keyword_argument")
"""Pydantic's errors for a key that no field has."""
UNION_MEMBERS = ("bool", "int", "float", "str")
"""Types that pydantic adds to the path of a value that may be of several."""
PLAIN_WORDS = {
    "a valid array": "a list",
    "a valid integer": "an integer",
    "an object": "keys and values",
    "a valid ": "a ",
    "Input should be": "expected",
    "Tuple should have": "expected",
    " after validation": "",
}
"""Pydantic's words, and plain ones for them."""


def refusal(error: ValidationError | None, shorthands: Sequence[str] = ()) -> SpecError:
    """Return an error that says what is wrong, a line each; typos first.

    A misspelt section is missing, too, and its name explains the complaint about that.

    Args:
        error: pydantic's; None if it has none.
        shorthands: what is wrong with shorthands, which were left out of what pydantic read.
    """
    problems = [] if error is None else error.errors(include_url=False)
    if shorthands:  # a whole that lacks parts is not complained about
        problems = [one for one in problems if one["loc"]]
    typos = [one for one in problems if one["type"] in TYPOS]
    others = [one for one in problems if one["type"] not in TYPOS]
    lines = [*map(_line, typos), *shorthands, *map(_line, others)]
    lines = list(dict.fromkeys(lines))
    more = len(lines) - SHOWN_ERRORS
    return SpecError("\n".join(lines[:SHOWN_ERRORS]) + (f" (and {more} more)" if more > 0 else ""))


def _line(problem: ErrorDetails) -> str:
    location = problem["loc"]
    path = ".".join(str(part) for part in location if part not in UNION_MEMBERS)
    kind, message, value = problem["type"], problem["msg"], problem["input"]
    if kind == "json_invalid":
        return f"the specification is not plain data: {message}"
    if kind in TYPOS:
        return _unknown_key(location)
    section = _trainers_section(location)
    if section is not None and kind in OUT_OF_BOUNDS:
        return f"{location[0]}: {out_of_bounds(section, str(location[1]), value)}"
    if section is not None and kind == "value_error":
        return f"{path}.{message.removeprefix('Value error, ')}"
    if kind == "value_error":
        message = message.removeprefix("Value error, ")
        return f"{path}: {message}" if path else message
    if kind == "missing":
        return f"{path}: missing, and it has no default"
    if path == "name":
        return f"name: expected up to 64 letters, digits, '-', '_' and '.'; got {value!r}"
    for jargon, plain in PLAIN_WORDS.items():
        message = message.replace(jargon, plain)
    if location and location[-1] in UNION_MEMBERS:
        message = "expected a number, text, true or false"
    got = repr(value)
    got = got if len(got) < SHOWN_CHARACTERS else f"{got[: SHOWN_CHARACTERS - 3]}..."
    return f"{path}: {message}; got {got}"


def _trainers_section(location: Sequence[int | str]) -> type | None:
    """Return the dataclass of `trainers` in which an error is; its messages begin with a field."""
    field = SweepSpec.model_fields.get(str(location[0])) if location else None
    kind = field.annotation if field is not None else None
    return kind if isinstance(kind, type) and dataclasses.is_dataclass(kind) else None


def _unknown_key(location: tuple[int | str, ...]) -> str:
    *sections, key = (str(part) for part in location)
    inside = [] if sections else _sections_with(key)
    if inside:
        return f"{key}: unknown key; did you mean {' or '.join(inside)}?"
    return f"{'.'.join((*sections, key))}: unknown key; {hint(key, _known_keys(sections))}"


def _sections_with(key: str) -> list[str]:
    """List where a key that stands outside all sections may be meant: `recipe.epochs`."""
    key = OTHER_WORDS.get(key, key)
    return [
        f"{section}.{key}" for section in SweepSpec.model_fields if key in _known_keys([section])
    ]


def _known_keys(sections: Sequence[str]) -> list[str]:
    """List the keys that may stand in a section; only the domains of the space lie deeper."""
    if not sections:
        return list(SweepSpec.model_fields)
    known = SweepSpec.model_fields[sections[0]].annotation if len(sections) == 1 else Domain
    if dataclasses.is_dataclass(known):
        return [field.name for field in dataclasses.fields(known)]
    return list(getattr(known, "model_fields", {}))
