"""Checks of options, with errors that name the option, what was expected, and what came."""

import math
from collections.abc import Collection


def check_integer(name: str, value: object, least: int) -> None:
    """Refuse anything but an integer of at least `least`.

    Raises:
        ValueError: value is not such an integer.
    """
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
    """Refuse anything but a finite number within the bounds given.

    Raises:
        ValueError: value is not such a number.
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
    """Refuse anything but True and False.

    Raises:
        ValueError: value is neither.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse anything but one of some words.

    Raises:
        ValueError: value is none of them.
    """
    if value not in tuple(choices):
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
