# mypy: ignore-errors
"""Kernels of the batch norm: its statistics, their merging, and the gradient of its input.

Variances are sums of squares about a point near the mean, never differences of raw moments, which
cancel: each program shifts by the mean of its first tile, and `merge_kernel` adds the squares of
the programs' own means (Chan, Golub and LeVeque, Updating Formulae, 1979).
"""

import triton
import triton.language as tl

from polyneuron.kernels.gpu.skeleton import load_input, load_norm, tile_at


@triton.jit
def moments_kernel(
    x,
    partials,
    n,
    A,
    tiles,
    INNER: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_A: tl.constexpr,
):
    """Store the mean of a program's elements of each column, and the sum of squares about it.

    `partials` is (2, programs along n, A).
    """
    a = tl.program_id(1) * BLOCK_A + tl.arange(0, BLOCK_A)[None, :]
    chunk = tiles * BLOCK_N
    count = tl.minimum(n - tl.program_id(0).to(tl.int64) * chunk, chunk)
    at, inside = tile_at(0, tiles, a, n, A, INNER, WIDE, BLOCK_N)
    values = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    in_first = tl.minimum(count, BLOCK_N).to(tl.float32)
    shift = tl.sum(values, axis=0, keep_dims=True) / in_first
    once = tl.full([BLOCK_N, BLOCK_A], 0.0, tl.float32)
    squared = tl.full([BLOCK_N, BLOCK_A], 0.0, tl.float32)
    for tile in range(0, tiles):
        at, inside = tile_at(tile, tiles, a, n, A, INNER, WIDE, BLOCK_N)
        values = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
        d = tl.where(inside, values - shift, 0.0)
        once += d
        squared += d * d
    rest = tl.sum(once, axis=0, keep_dims=True) / count.to(tl.float32)
    spread = tl.sum(squared, axis=0, keep_dims=True) - rest * rest * count.to(tl.float32)
    at = partials + tl.program_id(0) * A + a
    tl.store(at, shift + rest, mask=a < A)
    tl.store(at + tl.num_programs(0) * A, spread, mask=a < A)


@triton.jit
def merge_kernel(
    partials,
    mean,
    rstd,
    running_mean,
    running_var,
    n,
    chunk,
    rows,
    A,
    eps,
    momentum,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_A: tl.constexpr,
):
    """Store mean and 1 / standard deviation of each column; update running statistics, if given.

    Program i of `moments_kernel` took `chunk` elements, the last of the `rows` what was left of n.
    """
    a = tl.program_id(0) * BLOCK_A + tl.arange(0, BLOCK_A)[None, :]
    # Differences from the first mean are added: they are small, and so is their rounding.
    origin = tl.load(partials + a, mask=a < A, other=0.0)
    total = tl.full([BLOCK_ROWS, BLOCK_A], 0.0, tl.float32)
    for first in range(0, rows, BLOCK_ROWS):
        row = first + tl.arange(0, BLOCK_ROWS)[:, None]
        inside = (row < rows) & (a < A)
        count = tl.minimum(n - row.to(tl.int64) * chunk, chunk).to(tl.float32)
        part = tl.load(partials + row * A + a, mask=inside, other=0.0)
        total += tl.where(inside, count * (part - origin), 0.0)
    centre = origin + tl.sum(total, axis=0, keep_dims=True) / n
    total = tl.full([BLOCK_ROWS, BLOCK_A], 0.0, tl.float32)
    for first in range(0, rows, BLOCK_ROWS):
        row = first + tl.arange(0, BLOCK_ROWS)[:, None]
        inside = (row < rows) & (a < A)
        count = tl.minimum(n - row.to(tl.int64) * chunk, chunk).to(tl.float32)
        part = tl.load(partials + row * A + a, mask=inside, other=0.0) - centre
        within = tl.load(partials + (rows + row) * A + a, mask=inside, other=0.0)
        total += tl.where(inside, within + count * part * part, 0.0)
    squares = tl.sum(total, axis=0, keep_dims=True)
    # Rounding may leave a constant channel a hair below 0. Not `maximum`, which would hide NaN.
    squares = tl.where(squares < 0.0, 0.0, squares)
    tl.store(mean + a, centre, mask=a < A)
    tl.store(rstd + a, 1.0 / tl.sqrt(squares / n + eps), mask=a < A)
    if running_mean is not None:
        old = tl.load(running_mean + a, mask=a < A, other=0.0)
        tl.store(running_mean + a, old + momentum * (centre - old), mask=a < A)
        old = tl.load(running_var + a, mask=a < A, other=0.0)
        # The running variance is the unbiased one, as torch's is.
        unbiased = squares / tl.maximum(n - 1, 1)
        tl.store(running_var + a, old + momentum * (unbiased - old), mask=a < A)


@triton.jit
def norm_gradient_kernel(
    x,
    g,
    g_x,
    residual,
    norm,
    parameters,
    by_bias,
    by_weight,
    n,
    A,
    tiles,
    GRADIENT_OF_INPUT: tl.constexpr,
    LOAD: tl.constexpr,
    GRADIENT: tl.constexpr,
    BATCH: tl.constexpr,
    S: tl.constexpr,
    K: tl.constexpr,
    SHARED: tl.constexpr,
    INNER: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_A: tl.constexpr,
):
    """Store the gradient of the norm's input x.

    g is the gradient of y, or, with GRADIENT_OF_INPUT, that of f's argument u. With BATCH, mean and
    rstd are x's own: their gradients follow from those of bias and weight.
    """
    a = tl.program_id(1) * BLOCK_A + tl.arange(0, BLOCK_A)[None, :]
    coefficients = LOAD(parameters, a * 0 if SHARED else a, a < A, S)
    norm_of_a = load_norm(norm, a, a < A)
    scale = norm_of_a[1] * norm_of_a[2]
    shift = tl.load(by_bias + a, mask=a < A, other=0.0) / n
    slant = tl.load(by_weight + a, mask=a < A, other=0.0) / n
    for tile in range(0, tiles):
        at, inside = tile_at(tile, tiles, a, n, A, INNER, WIDE, BLOCK_N)
        u, normalised = load_input(x, residual, norm_of_a, at, inside)
        by_u = tl.load(g + at, mask=inside, other=0.0).to(tl.float32)
        if not GRADIENT_OF_INPUT:
            by_u, _ = GRADIENT(u, by_u, coefficients, S, K)
        if BATCH:
            by_u = by_u - shift - normalised * slant
        tl.store(g_x + at, scale * by_u, mask=inside)


@triton.jit
def store_sums(sums, parameters, gradients, row, inside, S: tl.constexpr):
    """FINISH of the norm: the sums are the gradients of its bias and its weight."""
    tl.store(gradients[0] + row, sums[0], mask=inside)
    tl.store(gradients[1] + row, sums[1], mask=inside)
