"""Rows by their keys: sorted, and of the rows with one key the one that counts.

Of one writer's rows that is the last. Writers have no order among themselves, since their clocks
may differ or go back: of their rows that of the highest status counts, for an end is final and a
beginning is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.store.schema import Table

_BLOCK = 1 << 18
"""Rows compared at a time, so that the comparison's arrays stay in the processor's cache."""


def last_rows(keys: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the indices of the last row of each key, in the order of the keys.

    Args:
        keys: the columns of the key, each (rows,) integers that sort as its values do.

    Returns:
        Indices of rows, or None where the rows are in order already and no key comes twice.
    """
    # A compacted table is in order: looking costs 1 % of sorting it.
    if all(_ascending(keys, start) for start in range(0, len(keys[0]), _BLOCK)):
        return None
    codes = _codes(keys)
    order = np.argsort(codes, kind="stable")  # stable: of equal keys the last written stays last
    codes = codes[order]
    last: np.ndarray = order[np.append(codes[1:] != codes[:-1], True)]
    return last


def writers_of(files: Sequence[tuple[str | None, int]], table: Table) -> np.ndarray | None:
    """Return a number for the writer of each row, (rows,); None where rows need no `ranked_rows`.

    Args:
        files: of each file its writer, None for a compacted table, and how many rows it has.
        table: the table of the rows. Only a status is written by others than a run's own worker.
    """
    names = sorted({writer for writer, _ in files if writer is not None})
    if "status" not in table.schema.names or len(names) < 2:
        return None
    codes = {None: -1} | {name: code for code, name in enumerate(names)}
    return np.repeat([codes[writer] for writer, _ in files], [count for _, count in files])


def ranked_rows(keys: Sequence[np.ndarray], writers: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return the index of one row of each key, in the order of the keys.

    Of the last rows of each writer it is that of the highest rank. A row of writer -1 is from
    before all others.
    """
    last = last_rows([*keys, writers])
    last = np.arange(len(writers)) if last is None else last
    rising = np.argsort(np.where(writers < 0, -1, ranks)[last], kind="stable")
    last = last[rising]
    kept = last_rows([column[last] for column in keys])
    return last if kept is None else last[kept]


def _ascending(keys: Sequence[np.ndarray], start: int) -> bool:
    """Return whether each row of a block comes before the next one."""
    tied = np.True_
    for column in keys:
        block = column[start : start + _BLOCK + 1]
        before, after = block[:-1], block[1:]
        if (tied & (before > after)).any():
            return False
        tied = tied & (before == after)
    return not tied.any()


def _codes(keys: Sequence[np.ndarray]) -> np.ndarray:
    """Return one integer a row, (rows,), that orders rows as their keys do."""
    codes = np.zeros(len(keys[0]), dtype=np.int64)
    radix = 1
    for column in keys:
        low, high = int(column.min()), int(column.max())
        size = high - low + 1
        # The product of the columns' ranges has to fit 64 bits: ranks need a smaller range.
        if radix * size > 2**62:
            codes = np.unique(codes, return_inverse=True)[1]
            radix = int(codes.max()) + 1
        if radix * size > 2**62:
            column = np.unique(column, return_inverse=True)[1]
            low, size = 0, int(column.max()) + 1
        codes *= size
        codes += column - np.int64(low)
        radix *= size
    return codes
