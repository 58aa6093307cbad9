# ruff: noqa: RUF005
# mypy: ignore-errors
"""The kernels that every activation function shares, with or without a norm in front of it.

A program walks over its tiles with the coefficients of its columns in registers. Every sum is kept
as a tile of partial sums, which threads add up once, after the program's last tile. Each program
writes its sums, and `finish_kernel` adds them in a fixed order. There are no atomics: equal
inputs give equal bits.

Function-valued arguments (LOAD, VALUE, GRADIENT, FINISH) are those of `device.Device`.
`parameters`, `gradients` and `norm` (mean, 1 / standard deviation, weight, bias) are tuples of
pointers; an empty `norm` and a `None` pointer compile their branches away. SHARED makes all columns
use the parameters of row 0.
"""

import triton
import triton.language as tl

from polyneuron.kernels.gpu.registers import added


@triton.jit
def evaluate_kernel(
    x,
    y,
    residual,
    norm,
    parameters,
    n,
    A,
    tiles,
    LOAD: tl.constexpr,
    VALUE: tl.constexpr,
    S: tl.constexpr,
    K: tl.constexpr,
    SHARED: tl.constexpr,
    INNER: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_A: tl.constexpr,
):
    """Store y = f(x), or f(norm(x) + residual)."""
    a = tl.program_id(1) * BLOCK_A + tl.arange(0, BLOCK_A)[None, :]
    coefficients = LOAD(parameters, a * 0 if SHARED else a, a < A, S)
    norm_of_a = load_norm(norm, a, a < A)
    for tile in range(0, tiles):
        at, inside = tile_at(tile, tiles, a, n, A, INNER, WIDE, BLOCK_N)
        u, _ = load_input(x, residual, norm_of_a, at, inside)
        tl.store(y + at, VALUE(u, coefficients, S, K), mask=inside)


@triton.jit
def gradient_kernel(
    x,
    g,
    g_u,
    residual,
    norm,
    parameters,
    partials,
    norm_partials,
    n,
    A,
    tiles,
    LOAD: tl.constexpr,
    GRADIENT: tl.constexpr,
    SUMS: tl.constexpr,
    S: tl.constexpr,
    K: tl.constexpr,
    SHARED: tl.constexpr,
    INNER: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_A: tl.constexpr,
):
    """Store the gradient of f's argument u, if g_u is given, and this program's partial sums.

    `partials` is (SUMS, programs along n, A), or with SHARED parameters (SUMS, programs).
    `norm_partials`, if there is a norm, is (2, programs along n, A): sums of the gradient of u,
    alone and times the normalised x.
    """
    a = tl.program_id(1) * BLOCK_A + tl.arange(0, BLOCK_A)[None, :]
    coefficients = LOAD(parameters, a * 0 if SHARED else a, a < A, S)
    norm_of_a = load_norm(norm, a, a < A)
    sums = zeros(SUMS, BLOCK_N, BLOCK_A)
    norm_sums = zeros(2, BLOCK_N, BLOCK_A)
    for tile in range(0, tiles):
        at, inside = tile_at(tile, tiles, a, n, A, INNER, WIDE, BLOCK_N)
        u, normalised = load_input(x, residual, norm_of_a, at, inside)
        g_y = tl.load(g + at, mask=inside, other=0.0).to(tl.float32)
        by_u, terms = GRADIENT(u, g_y, coefficients, S, K)
        sums = added(sums, terms, SUMS)
        if len(norm) > 0:
            norm_sums = added(norm_sums, (by_u, by_u * normalised), 2)
        if g_u is not None:
            tl.store(g_u + at, by_u, mask=inside)
    programs = tl.num_programs(0)
    for i in tl.static_range(SUMS):
        total = tl.sum(sums[i], axis=0, keep_dims=True)
        if SHARED:
            total = tl.sum(total, axis=1, keep_dims=True)
            row = (i * programs + tl.program_id(0)) * tl.num_programs(1) + tl.program_id(1)
            tl.store(partials + row + tl.arange(0, 1)[None, :], total)
        else:
            row = i * programs + tl.program_id(0)
            tl.store(partials + row * A + a, total, mask=a < A)
    if len(norm) > 0:
        for i in tl.static_range(2):
            row = i * programs + tl.program_id(0)
            total = tl.sum(norm_sums[i], axis=0, keep_dims=True)
            tl.store(norm_partials + row * A + a, total, mask=a < A)


@triton.jit
def finish_kernel(
    partials,
    parameters,
    gradients,
    rows,
    A,
    FINISH: tl.constexpr,
    SUMS: tl.constexpr,
    S: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_A: tl.constexpr,
):
    """Add partial sums (SUMS, rows, A) over their rows and hand them to FINISH."""
    a = tl.program_id(0) * BLOCK_A + tl.arange(0, BLOCK_A)[None, :]
    sums = zeros(SUMS, BLOCK_ROWS, BLOCK_A)
    for first in range(0, rows, BLOCK_ROWS):
        row = first + tl.arange(0, BLOCK_ROWS)[:, None]
        inside = (row < rows) & (a < A)
        terms = ()
        for i in tl.static_range(SUMS):
            term = tl.load(partials + (i * rows + row) * A + a, mask=inside, other=0.0)
            terms = terms + (term,)
        sums = added(sums, terms, SUMS)
    totals = ()
    for i in tl.static_range(SUMS):
        totals = totals + (tl.sum(sums[i], axis=0, keep_dims=True),)
    FINISH(totals, parameters, gradients, a, a < A, S)


@triton.jit
def tile_at(tile, tiles, a, n, A, INNER: tl.constexpr, WIDE: tl.constexpr, BLOCK_N: tl.constexpr):
    """Return the offsets of the elements of this program's next tile, and a mask of those in x."""
    index = tl.program_id(0) * tiles + tile
    if WIDE:
        index = index.to(tl.int64)
    j = index * BLOCK_N + tl.arange(0, BLOCK_N)[:, None]
    inside = (j < n) & (a < A)
    if INNER == 0:
        at = j
    elif INNER == 1:
        at = j * A + a
    else:
        at = (j // INNER * A + a) * INNER + j % INNER
    return at, inside


@triton.jit
def load_norm(norm, a, inside):
    """Mean, 1 / standard deviation, weight and bias of the columns; () without a norm."""
    columns = ()
    for i in tl.static_range(len(norm)):
        columns = columns + (tl.load(norm[i] + a, mask=inside, other=0.0),)
    return columns


@triton.jit
def load_input(x, residual, norm, at, inside):
    """Return f's argument u, and the normalised x (without a norm, x)."""
    normalised = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    u = normalised
    if len(norm) > 0:
        mean, rstd, weight, bias = norm
        normalised = (u - mean) * rstd
        u = normalised * weight + bias
    if residual is not None:
        u += tl.load(residual + at, mask=inside, other=0.0).to(tl.float32)
    return u, normalised


@triton.jit
def zeros(COUNT: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """COUNT tiles of zeros."""
    tiles = ()
    for _ in tl.static_range(COUNT):
        tiles = tiles + (tl.full([ROWS, COLUMNS], 0.0, tl.float32),)
    return tiles
