"""The values that a parameter of the space may take, and when it is drawn at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sweeps.spec.errors import hint
from trainers.config import OptionValue

Kind = Literal["fixed", "uniform", "log", "int", "choice", "grid"]
KINDS = tuple(kind for kind in get_args(Kind) if kind != "fixed")
"""Kinds of domain that are written out; a plain value is the kind that is fixed."""
RANGES = ("uniform", "log", "int")
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
REFINEMENTS = ("step", "log", "when")
"""Keys that may stand beside the kind of a domain."""


class Section(BaseModel):
    """A part of a specification: frozen, without unknown keys or silent conversions."""

    # A misspelt key would else be dropped, and the sweep run otherwise than was meant.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class Domain(Section):
    """The values that one parameter may take."""

    kind: Kind
    values: tuple[OptionValue, ...]
    """Low and high of a range (both included), else the values themselves."""
    step: Positive | None = None
    """Distance between the values of a range."""
    log: bool = False
    """True: integers of a range are drawn by their logarithm."""
    when: dict[str, tuple[OptionValue, ...]] = {}
    """Other parameters and the values of theirs with which this one is drawn at all."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.kind in RANGES:
            self._check_range()
            self._check_steps()
        elif self.step is not None or self.log:
            key = "log" if self.log else "step"
            raise ValueError(f"{key}: {self.kind} lists its values; leave it out")
        elif not self.values:
            raise ValueError(f"{self.kind} has no values; list at least one")
        # 1 and True are equal in Python, and different settings; 1 and 1.0 are one number.
        elif len({(isinstance(value, bool), value) for value in self.values}) < len(self.values):
            raise ValueError(f"{self.kind} lists a value twice: {list(self.values)}")
        return self

    def _check_range(self) -> None:
        kinds, name = ((int,), "integers") if self.kind == "int" else ((int, float), "numbers")
        # Not isinstance, to which True is an integer.
        numbers = [value for value in self.values if type(value) in kinds]
        if len(numbers) != 2 or len(self.values) != 2:
            raise ValueError(f"{self.kind} takes two {name}, [low, high]; got {list(self.values)}")
        low, high = (float(number) for number in numbers)
        if not low < high < float("inf"):
            raise ValueError(f"the range {list(self.values)} is empty; low must be below high")
        if self.kind == "log" and low <= 0:
            raise ValueError(f"a log range starts above 0; got {list(self.values)}")

    def _check_steps(self) -> None:
        low, high = (float(number) for number in self.values)
        if self.log and (self.kind != "int" or low < 1):
            raise ValueError(
                f"log: true is for int: [low, high] from 1 on; got {self.kind}: {list(self.values)}"
            )
        if self.step is None:
            return
        if self.kind == "log" or self.log:
            raise ValueError(
                "step: a logarithmic range has none; list the values with choice: [...]"
            )
        steps = (high - low) / self.step
        if abs(steps - round(steps)) > 1e-9 * max(1.0, steps) or round(steps) < 1:
            raise ValueError(
                f"step: from {low:g} to {high:g} it takes a whole number of steps; {self.step:g}"
                " does not divide the range"
            )
        if self.kind == "int" and not float(self.step).is_integer():
            raise ValueError(f"step: of integers a whole number; got {self.step:g}")

    def has(self, value: OptionValue) -> bool:
        """Return True for a value that can be drawn."""
        if self.kind not in RANGES:
            return any(type(one) is type(value) and one == value for one in self.values)
        kinds = (int,) if self.kind == "int" else (int, float)
        low, high = (float(number) for number in self.values)
        if type(value) not in kinds or not low <= float(value) <= high:
            return False
        steps = (float(value) - low) / (self.step or 1.0)
        return self.step is None or abs(steps - round(steps)) < 1e-9 * max(1.0, steps)

    @property
    def written(self) -> object:
        """Return the domain as a specification has it: `{"grid": [3, 5]}`, or a plain value."""
        if self.kind == "fixed":
            return self.values[0]
        refined = self.model_dump(mode="json", include=set(REFINEMENTS), exclude_defaults=True)
        return {self.kind: list(self.values), **refined}

    @property
    def counted(self) -> bool:
        """True of what a grid search can walk: a grid, or one fixed value."""
        return self.kind in ("grid", "fixed")


def check_conditions(space: Mapping[str, Domain]) -> None:
    """Check that each condition is on other parameters, of listed values, without a circle.

    Raises:
        ValueError: a condition is not; the message names the parameter.
    """
    for key, domain in space.items():
        for parent, values in domain.when.items():
            place = f"space.{key}.when.{parent}"
            others = [name for name in space if name != key]
            if parent not in others:
                raise ValueError(
                    f"{place}: no other parameter of the space; {hint(parent, others)}"
                )
            if space[parent].kind in RANGES:
                raise ValueError(
                    f"{place}: a condition is on a parameter with choice: [...] or grid: [...]"
                )
            for value in values:
                if not space[parent].has(value):
                    listed = list(space[parent].values)
                    raise ValueError(f"{place}: {value!r} is none of its values, {listed}")
    for key in space:
        if key in _above(space, key):
            raise ValueError(f"space.{key}.when: it depends on itself")


def in_order(space: Mapping[str, Domain]) -> list[tuple[str, Domain]]:
    """Return the space with each parameter after those that decide whether it is drawn.

    The activation comes first: it decides which of its options apply.
    """
    placed: dict[str, Domain] = {}

    def place(key: str) -> None:
        for parent in space[key].when:
            if parent not in placed:
                place(parent)
        placed[key] = space[key]

    for key in sorted(space, key=lambda key: key != "activation"):
        if key not in placed:
            place(key)
    return list(placed.items())


def _above(space: Mapping[str, Domain], key: str) -> set[str]:
    """Return the parameters on which one depends, over any number of conditions."""
    found: set[str] = set()
    waiting = list(space[key].when)
    while waiting:
        parent = waiting.pop()
        if parent not in found:
            found.add(parent)
            waiting += space[parent].when
    return found
