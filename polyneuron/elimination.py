"""Linear systems solved in operators that every export format has: ONNX knows no linear solve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float


def eliminate(M: Float[Tensor, "A n n"], rhs: Float[Tensor, "A n m"]) -> Float[Tensor, "A n m"]:
    """Solve M z = rhs by Gauss-Jordan elimination with column pivots, unrolled over the columns.

    A program of these steps grows as the number of columns: for the few unknowns of Eq. 2.

    Args:
        M: matrices (A, n, n); where one is singular, its solution is not finite.
        rhs: right-hand sides (A, n, m).

    Returns:
        z (A, n, m).
    """
    n = M.shape[1]
    rows = torch.cat([M, rhs], dim=2)
    row_numbers = torch.arange(n, device=M.device)
    # Rows stay where they are; a pivot's row is 0 in `free` and 1 in its column's mark.
    free = torch.ones_like(rows[:, :, 0])
    solution = []
    for j in range(n):
        column = rows[:, :, j]
        # Used rows become negative, for a free row may be 0 itself.
        largest = (column.abs() * free + free - 1).argmax(1, keepdim=True)
        mark = (row_numbers == largest).to(M.dtype)
        pivot_row = (mark[:, :, None] * rows).sum(1) / (mark * column).sum(1, keepdim=True)
        # In the pivot's own row, which is divided by the pivot, this leaves `pivot_row`.
        rows = rows - (column - mark)[:, :, None] * pivot_row[:, None]
        free = free - mark
        solution.append(mark)
    right = rows[:, :, n:]
    return torch.stack([(mark[:, :, None] * right).sum(1) for mark in solution], dim=1)
