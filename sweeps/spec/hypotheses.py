"""Hypotheses of a specification: what the sweep is to decide, declared before its first run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sweeps.spec.domain import Domain, NotNegative, Positive, Section
from sweeps.spec.errors import SpecError, hint
from trainers.config import OptionValue

Selection = Annotated[dict[str, OptionValue], Field(min_length=1)]
"""Parameters with their values: the configurations that have all of them."""
FORMS = ("better", "no_gain", "equivalent", "trend", "more_stable")


class ArmsSection(Section):
    """Two selections of the sweep's configurations; blocks hold equal what neither names."""

    arm: Selection
    """Parameters and values of one side."""
    than: Selection
    """Those of the other."""


class BetterSection(ArmsSection):
    """One side is better than the other."""

    by: NotNegative = 0
    """By how much at least, in the metric's unit."""


class MarginSection(ArmsSection):
    """One side is not better than the other by more than matters."""

    margin: Positive
    """The smallest difference that matters, in the metric's unit."""


class TrendSection(Section):
    """The metric changes in one direction along a parameter."""

    of: str
    """The parameter, whose values are numbers."""
    direction: Literal["falls", "rises"]
    """Of the metric, from each value of the parameter to the next larger one."""


class HypothesisSection(Section):
    """One hypothesis; it has one of `better`, `no_gain`, `equivalent`, `trend`, `more_stable`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    """Its name in reports and for `sweeps settle --claim`."""
    better: BetterSection | None = None
    """`arm` is better than `than`, by at least `by`."""
    no_gain: MarginSection | None = None
    """`arm` gains less than `margin` over `than`."""
    equivalent: MarginSection | None = None
    """Neither of `arm` and `than` gains more than `margin` over the other."""
    trend: TrendSection | None = None
    """The metric falls, or rises, along a parameter."""
    more_stable: ArmsSection | None = None
    """A smaller share of the runs of `arm` diverges."""
    where: dict[str, OptionValue] = Field(default_factory=dict)
    """Parameters and values that both sides have; others are blocks that are averaged over."""
    minimum_runs: Annotated[int, Field(ge=2)] = 5
    """Of each configuration; fewer test nothing."""
    max_seeds: Annotated[int, Field(ge=2)] = 20
    """Of each configuration, at which the level of all looks is spent."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = [form for form in FORMS if getattr(self, form) is not None]
        if len(given) != 1:
            raise ValueError(
                f"{self.name}: expected one of {', '.join(FORMS)}; got {given or 'none'}"
            )
        return self

    @property
    def sides(self) -> tuple[Mapping[str, OptionValue], ...]:
        """The two selections; none of a trend."""
        found = self.better or self.no_gain or self.equivalent or self.more_stable
        return () if found is None else (found.arm, found.than)


def check_hypotheses(
    hypotheses: Sequence[HypothesisSection],
    space: Mapping[str, Domain],
    points: Sequence[Mapping[str, OptionValue]],
) -> None:
    """Check that each hypothesis is about configurations of a sweep.

    Args:
        hypotheses: of the specification.
        space: its parameters.
        points: its whole grid.

    Raises:
        SpecError: a parameter or value is none of the space's, or an arm has no configuration, or
            another than the other side.
    """
    for one in hypotheses:
        for selection in (*one.sides, one.where):
            for key, value in selection.items():
                _check_value(one.name, key, value, space)
        chosen = [point for point in points if _has(point, one.where)]
        if one.trend is not None:
            _check_trend(one, one.trend, space, chosen)
        else:
            _check_arms(one, chosen)


def _check_value(name: str, key: str, value: OptionValue, space: Mapping[str, Domain]) -> None:
    if key not in space:
        raise SpecError(f"hypotheses.{name}: no parameter {key!r}; {hint(key, list(space))}")
    if not space[key].has(value):
        known = list(space[key].values)
        raise SpecError(f"hypotheses.{name}: {key} = {value!r} is none of its values, {known}")


def _check_trend(
    one: HypothesisSection,
    trend: TrendSection,
    space: Mapping[str, Domain],
    chosen: Sequence[Mapping[str, OptionValue]],
) -> None:
    numbers = {
        point[trend.of]
        for point in chosen
        if isinstance(point.get(trend.of), int | float) and not isinstance(point[trend.of], bool)
    }
    if trend.of not in space or len(numbers) < 2:
        raise SpecError(
            f"hypotheses.{one.name}: trend.of takes a parameter with at least two numbers; got"
            f" {trend.of!r}"
        )


def _check_arms(one: HypothesisSection, chosen: Sequence[Mapping[str, OptionValue]]) -> None:
    named = {key for side in one.sides for key in side}
    blocks = []
    for side in one.sides:
        own = [point for point in chosen if _has(point, side)]
        if not own:
            raise SpecError(f"hypotheses.{one.name}: no configuration has {dict(side)}")
        blocks.append({_rest(point, named) for point in own})
    if blocks[0] != blocks[1] or _has(one.sides[0], one.sides[1]):
        raise SpecError(
            f"hypotheses.{one.name}: both arms need the same configurations but for what they"
            f" name; {dict(one.sides[0])} and {dict(one.sides[1])} have {len(blocks[0])} and"
            f" {len(blocks[1])}"
        )


def _has(point: Mapping[str, OptionValue], selection: Mapping[str, OptionValue]) -> bool:
    return all(
        key in point and type(point[key]) is type(value) and point[key] == value
        for key, value in selection.items()
    )


def _rest(point: Mapping[str, OptionValue], named: set[str]) -> str:
    return str(sorted((key, value) for key, value in point.items() if key not in named))
