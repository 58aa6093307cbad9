"""How a tensor in memory is cut into tiles of (elements, functions), and tiles into programs.

Every layout is one of (outer, A, inner), so that element j of function a lies at
((j // inner) A + a) inner + j % inner: inner = 1 where functions are adjacent in memory
(channels-last, rows, one function a neuron), the size of a plane for contiguous (N, C, ...), and
inner = 0 says that a single function owns all of memory, in whatever order.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from polyneuron.scope import broadcast_shape

THREADS = 128
"""Threads of a program, four warps. With 64 registers each, eight programs fit a multiprocessor."""

REGISTERS = 80
"""Of a thread's 255, those that sums and coefficients of its own elements may take."""

PROGRAMS = 1056
"""Programs a kernel aims at: 8 on each of an H100's 132 multiprocessors, enough that loads in
flight cover the memory's latency, and few enough that the partial sums are short. A constant, so
that another GPU adds in the same order."""

WIDE = 2**30
"""Tensors of at least so many elements get 64-bit offsets; beyond them 32 bits could overflow."""

Sizes = dict[str, int | bool]


@dataclass(frozen=True)
class Layout:
    """Where the n elements of each of A functions lie; see the module."""

    n: int
    A: int
    inner: int


@dataclass(frozen=True)
class Plan:
    """Which elements each program of a kernel takes.

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
    """Return x, copied where its memory has holes or another order, and its layout.

    Raises:
        ValueError: x does not fit A functions, or has a dtype that the kernels would round.
    """
    if x.dtype not in (torch.float32, torch.bfloat16, torch.float16):
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
    # Of neighbours in memory, which a thread has several of, each has its own coefficients there.
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
    """Elements of a tile for each thread, of which each takes so many registers.

    Four float32 are one 16-byte access. The kernels that only evaluate have room for two of them.
    """
    return next(n for n in (8, 4, 2, 1) if n == 1 or (n <= most and n * registers <= REGISTERS))


def _cdiv(n: int, by: int) -> int:
    return -(-n // by)
