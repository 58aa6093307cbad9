# ruff: noqa: RUF005
# mypy: ignore-errors
"""Tuples of registers: rows of small parameters, and sums."""

import triton
import triton.language as tl


@triton.jit
def load_row(pointer, row, inside, S: tl.constexpr, STEP: tl.constexpr):
    """Load the S entries of each row; where there is no row, multiples of STEP."""
    entries = ()
    for i in tl.static_range(S):
        entries = entries + (tl.load(pointer + row * S + i, mask=inside, other=STEP * i),)
    return entries


@triton.jit
def added(one, other, COUNT: tl.constexpr):
    """Add entry to entry."""
    entries = ()
    for i in tl.static_range(COUNT):
        entries = entries + (one[i] + other[i],)
    return entries
