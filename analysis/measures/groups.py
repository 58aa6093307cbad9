"""Rows that belong together, as positions: pandas' own groups cost a frame each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def rows_of_each(frame: pd.DataFrame, columns: Sequence[str]) -> list[np.ndarray]:
    """Return the positions of the rows of each combination of the columns' values, in order.

    Combinations come in the order of their values; a missing value is one of its own.
    """
    grouped = frame.groupby(list(columns), observed=True, dropna=False)
    numbers = grouped.ngroup().to_numpy()
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1) if len(order) else []
