"""The training code and the data of runs: only runs of one code and one data set stand together."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.measures.values import OUTCOMES
from analysis.printed import count

ORIGIN = ("code_version", "data_sha256")
"""Columns of `runs` that name the code and the data."""

SHOWN = 12
"""Characters of a data hash in print."""


@dataclass(frozen=True, order=True)
class Origin:
    """The code that trained a run and the hash of the data, each empty if it is not recorded."""

    code_version: str
    data_sha256: str

    @property
    def printed(self) -> str:
        """Both in words."""
        data = self.data_sha256[:SHOWN] or "not recorded"
        return f"code {self.code_version or 'not recorded'}, data {data}"


def origins(runs: pd.DataFrame) -> pd.Series:
    """Return the origin of each row of `runs`.

    A run that has not ended, or that failed before it read its data, has no data hash yet: it
    counts among the runs of its code, or else among the first.
    """
    columns = [runs[name].astype(object).fillna("") for name in ORIGIN]
    found = pd.Series(list(map(Origin, *columns)), index=runs.index, dtype=object)
    ended = runs["status"].astype(str).map(OUTCOMES).isin(["measured", "diverged"])
    known = sorted(set(found[ended]))

    def place(origin: Origin) -> Origin:
        alike = [one for one in known if one.code_version == origin.code_version]
        return next(iter([*alike, *known]), origin)

    return found.where(ended | found.isin(known), found.map(place))


def choice_between(found: pd.Series) -> str:
    """Return the several origins of some runs with their numbers, in words; empty for one."""
    numbers = found.value_counts()
    if len(numbers) < 2:
        return ""
    named = "; ".join(
        f"{one.printed}: {count(numbers[one], 'run')}" for one in sorted(numbers.index)
    )
    codes = len({one.code_version for one in numbers.index}) > 1
    how = "report --code, Results.where(code_version=...)"
    if not codes:
        how = "report --data, Results.where(data_sha256=...)"
    return f"runs of several origins do not stand together ({named}); choose one with {how}"
