"""A tensor in memory is cut into tiles of (elements, functions), which programs share out.

In memory a tensor is (outer, A, inner): element j of function a lies at
((j // inner) A + a) inner + j % inner. inner is 1 where functions are adjacent in memory
(channels-last, rows, one function a neuron), and the size of a plane for contiguous (N, C, ...).
inner = 0 stands for one function of all elements, in any order.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from polyneuron.scope import broadcast_shape

THREADS = 128
"""Threads of a program, four warps. With 64 registers each, eight programs fit a multiprocessor."""

REGISTERS = 80
"""Registers, of a thread's 255, for sums and coefficients of the thread's own elements."""

PROGRAMS = 1056
"""Programs a kernel aims at: 8 on each of an H100's 132 multiprocessors. Fewer would leave too few
loads in flight to cover the memory's latency, more would make the partial sums long. A constant, so
that another GPU adds in the same order."""

WIDE = 2**30
"""Tensors of at least so many elements get 64-bit offsets; beyond them 32 bits could overflow."""

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
"""Of tensors in memory: what the kernels load without rounding."""

Sizes = dict[str, int | bool]


@dataclass(frozen=True)
class Layout:
    """Places of the n elements of each of A functions; see the module."""

    n: int
    A: int
    inner: int


@dataclass(frozen=True)
class Plan:
    """The elements that each program of a kernel takes.

    Attributes:
        grid: programs along n and along the functions.
        tiles: tiles that a program takes one after the other.
        block_n: elements of one function in a tile, a power of 2.
        block_a: functions in a tile, a power of 2.
    """

    grid: tuple[int, int]
    tiles: int
    block_n: int
    block_a: int


def dense(x: Tensor, functions: int) -> tuple[Tensor, Layout]:
    """Return x and its layout; x is copied if its memory has holes or another order.

    Raises:
        ValueError: x does not fit A functions, or has a dtype that the kernels would round.
    """
    if x.dtype not in DTYPES:
        raise ValueError(f"x must be float32, bfloat16 or float16, got {x.dtype}")
    if functions == 1:
        if x.stride() != torch.empty_like(x, device="meta").stride():
            x = x.clone()
        return x, Layout(x.numel(), 1, 0)
    shape = broadcast_shape(functions, x.shape)
    n = x.numel() // functions
    if shape[0] == functions and x.movedim(1, -1).is_contiguous():
        return x, Layout(n, functions, 1)
    inner = math.prod(x.shape[2:]) if shape[0] == functions else 1
    return x.contiguous(), Layout(n, functions, inner)


def in_order_of(x: Tensor, other: Tensor) -> Tensor:
    """Return `other` in the dtype and the memory order of x, which is of its shape."""
    if other.dtype == x.dtype and other.stride() == x.stride():
        return other
    return torch.empty_like(x).copy_(other)


def plan(layout: Layout, sums: int, coefficients: int) -> Plan:
    """Cut a layout for a kernel that keeps so many sums, and coefficients of every function."""
    adjacent = layout.inner == 1
    # A thread's elements are neighbours in memory: of several functions if these are adjacent, and
    # then each needs its own coefficients.
    registers = sums + (coefficients if adjacent else 0)
    size = THREADS * _elements_a_thread(registers, most=4 if sums else 8)
    block_a = min(next_power_of_2(layout.A), 64, size) if adjacent else 1
    block_n = size // block_a
    blocks, columns = _cdiv(layout.n, block_n), _cdiv(layout.A, block_a)
    tiles = min(blocks, _cdiv(blocks * columns, PROGRAMS))
    return Plan((_cdiv(blocks, tiles), columns), tiles, block_n, block_a)


def constants(layout: Layout, cut: Plan) -> Sizes:
    """The compile-time sizes that the tiled kernels share."""
    return {
        "INNER": layout.inner,
        "WIDE": layout.n * layout.A >= WIDE,
        "BLOCK_N": cut.block_n,
        "BLOCK_A": cut.block_a,
    }


def summing_blocks(rows: int, functions: int, sums: int) -> tuple[int, int]:
    """Block sizes along the partial sums and along the functions for the kernels that add them."""
    size = THREADS * _elements_a_thread(sums, most=8)
    block_a = min(next_power_of_2(functions), 32)
    return min(next_power_of_2(rows), max(1, size // block_a)), block_a


def next_power_of_2(n: int) -> int:
    """The least power of 2 that is at least n."""
    return 1 << (n - 1).bit_length()


def _elements_a_thread(registers: int, most: int) -> int:
    """Elements of a tile for each thread, if each element takes so many registers.

    Four float32 are one access of 16 bytes, the widest. Kernels that only evaluate have room for 8.
    """
    return next(n for n in (8, 4, 2, 1) if n == 1 or (n <= most and n * registers <= REGISTERS))


def _cdiv(n: int, by: int) -> int:
    return -(-n // by)
