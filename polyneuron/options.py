"""Checks of an option's value; the error names the option, the values allowed and the value."""

import math
from collections.abc import Collection


def check_integer(name: str, value: object, least: int) -> None:
    """Refuse a value that is not an integer of at least `least`.

    Raises:
        ValueError: the value is not such an integer.
    """
    # bool is a subclass of int, and s=True is a mistake.
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def check_number(
    name: str,
    value: object,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> None:
    """Refuse a value that is not a finite number within the given bounds.

    Raises:
        ValueError: the value is not such a number.
    """
    bounds = {"above": above, "of at least": least, "below": below, "of at most": most}
    wanted = " and ".join(
        f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None
    )
    if not (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (above is None or value > above)
        and (least is None or value >= least)
        and (below is None or value < below)
        and (most is None or value <= most)
    ):
        raise ValueError(f"{name} must be a finite number {wanted}".rstrip() + f", got {value!r}")


def check_flag(name: str, value: object) -> None:
    """Refuse a value that is neither True nor False.

    Raises:
        ValueError: the value is neither of them.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse a value that is not one of the `choices`.

    Raises:
        ValueError: the value is none of them.
    """
    if value not in tuple(choices):
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
