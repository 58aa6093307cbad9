"""The metric by which the trials of a sweep are compared, and which end of it is best."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.printed import ERROR_LABEL, value_with_error

if TYPE_CHECKING:
    import pandas as pd

BUILT_IN = "last_val_error_percent"
"""The metric of a sweep whose specification names none."""

EPOCH_SECONDS = "epoch_seconds"
COSTS = (EPOCH_SECONDS, "parameters")
"""Columns of `runs` that may be further objectives of networks that this program trains itself;
the first one is measured of every run."""

_TITLES = {EPOCH_SECONDS: "seconds an epoch"}


@dataclass(frozen=True)
class Metric:
    """A metric and its direction."""

    name: str = BUILT_IN
    largest: bool = False
    """True: the largest value is best."""

    @property
    def is_percent(self) -> bool:
        """True of a value between 0 and 100 %."""
        return self.name.endswith("_percent")

    @property
    def is_error(self) -> bool:
        """True of an error of a network that this program trains itself."""
        return self.name in (BUILT_IN, "best_val_error_percent")

    @property
    def words(self) -> str:
        """The metric as a sentence begins with it."""
        return "Validation error" if self.is_error else self.name

    @property
    def label(self) -> str:
        """The metric as an axis names it."""
        return ERROR_LABEL if self.is_error else _TITLES.get(self.name, self.name)

    @property
    def title(self) -> str:
        """The metric as a column of a table names it."""
        return "error %" if self.is_error else _TITLES.get(self.name, self.name)

    def badness(self, value: float) -> float:
        """Return a number that is the smaller, the better the value is."""
        return -value if self.largest else value

    def printed(self, value: float, standard_error: float | None = None) -> str:
        """Return a value with its unit and, if there is one, its standard error."""
        return value_with_error(value, standard_error, self.is_percent)


VALIDATION_ERROR = Metric()


def metric_of(sweep: Mapping[str, Any] | pd.Series) -> Metric:
    """Return the metric of a row of the table `sweeps`; older rows have no direction."""
    name = sweep.get("metric")
    return Metric(name if isinstance(name, str) else BUILT_IN, sweep.get("direction") == "max")


def objectives_of(sweep: Mapping[str, Any] | pd.Series) -> tuple[Metric, ...]:
    """Return all objectives of a row of the table `sweeps`, the metric first."""
    text = sweep.get("also_json")
    also = json.loads(text) if isinstance(text, str) else {}
    return (metric_of(sweep), *(Metric(name, way == "max") for name, way in also.items()))
