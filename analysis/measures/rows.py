"""Rows of a frame as positions or as dictionaries: a frame for each group takes far longer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Positions = npt.NDArray[np.intp]


def rows_of_each(frame: pd.DataFrame, columns: Sequence[str]) -> list[Positions]:
    """Return the positions of the rows of each combination of the columns' values.

    Combinations come in the order of their values, rows in the frame's order; a missing value
    makes a combination of its own.
    """
    grouped = frame.groupby(list(columns), observed=True, dropna=False)
    numbers = grouped.ngroup().to_numpy()
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1) if len(order) else []


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as dictionaries by column."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
