"""A kernel is used after it has agreed with the plain formula on a small tensor, once a process.

A GPU or a version of Triton on which a kernel does not compile, or computes something else, costs a
warning and the kernel's speed, never a result.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from polyneuron.kernels import plain
from polyneuron.kernels.backend import (
    Backend,
    BatchNorm,
    Case,
    Normalised,
    warn_of_plain_formulas,
)


def is_sound(backend: Backend, case: Case) -> bool:
    """True if a case's kernels compile and agree with the plain formulas; warns if not."""
    plainly = torch.autocast(case.device.type, enabled=False)
    try:
        # A first use may be an evaluation, whose tensors could not have gradients.
        with torch.inference_mode(False), torch.no_grad(), plainly:
            agrees = _agrees(backend, case)
    # Triton and its drivers raise errors of their own at compiling and launching.
    except Exception as error:
        lines = str(error).strip().splitlines()
        warn_of_plain_formulas(f"Triton: {lines[0] if lines else type(error).__name__}")
        return False
    if not agrees:
        name = {
            "pointwise": case.function.name,
            "norm": f"batch norm and {case.function.name}",
            "solve": "the natural spline",
        }[case.operator]
        warn_of_plain_formulas(f"the Triton kernel of {name} disagrees with its formula")
    return agrees


def _agrees(backend: Backend, case: Case) -> bool:
    computed = {"pointwise": _pointwise, "norm": _norm, "solve": _solve}[case.operator]
    return _close(
        computed(backend, case, case.dtype), computed(plain, case, torch.float32), case.dtype
    )


def _pointwise(backend: Backend, case: Case, dtype: torch.dtype) -> list[Tensor]:
    """Values and gradients of one function, of x as it is stored in the case's dtype."""
    x = torch.linspace(-2.0, 2.0, 129, device=case.device).to(case.dtype).to(dtype)
    parameters = [row.to(case.device) for row in case.function.example(case.columns)]
    y, _ = backend.forward(case.function, x, parameters)
    g_x, gradients = backend.backward(case.function, torch.ones_like(x), x, parameters)
    return [y, g_x, *gradients]


def _norm(backend: Backend, case: Case, dtype: torch.dtype) -> list[Tensor]:
    """As `_pointwise`, after a batch norm; running statistics too."""
    shape = (4, 3, 12, 13)  # sums of several programs a channel, the last of them not full
    order = torch.channels_last if case.channels_last else torch.contiguous_format
    n = torch.arange(math.prod(shape), device=case.device)
    waves = [torch.sin(step * n).reshape(shape).to(case.dtype) for step in (1.7, 0.9, 0.4)]
    z, added, g = (wave.to(dtype).to(memory_format=order) for wave in waves)
    residual = added if case.residual else None
    rows = torch.linspace(0.5, 1.5, 3, device=case.device)
    running = rows / 4, rows.clone()
    norm = BatchNorm(rows, rows - 1, running, momentum=0.1, eps=1e-5, training=case.training)
    parameters = [
        row.to(case.device).repeat(1 if case.shared else 3, *[1] * (row.ndim - 1))
        for row in case.function.example(case.columns)
    ]
    of = Normalised(case.function, z, residual, norm, parameters)
    y, statistics, _ = backend.norm_forward(of)
    gradients = backend.norm_backward(of, g, statistics)
    return [y, *(one for one in gradients if one is not None), *running]


def _solve(backend: Backend, case: Case, dtype: torch.dtype) -> list[Tensor]:
    """Two natural splines, their points in opposite orders, and gradients of these."""
    s = case.columns
    rows = [row.to(case.device, dtype) for row in case.function.example(s)]
    splines = backend.solve(*(torch.cat([row, row.flip(1)]) for row in rows))
    steps = torch.arange(2 * s, device=case.device)
    g_knots, g_heights, g_m = (torch.sin(n + steps).view(2, s) for n in range(3))
    return [*splines[:3], *backend.solve_backward(splines, g_knots, g_heights, g_m)]


def _close(found: Sequence[Tensor], expected: Sequence[Tensor], dtype: torch.dtype) -> bool:
    # Half precision rounds what is stored, by up to 2^-8 in bfloat16.
    tolerance = 1e-3 if dtype == torch.float32 else 2e-2
    return all(
        float((one.float() - other).abs().max()) <= tolerance * (1 + float(other.abs().max()))
        for one, other in zip(found, expected, strict=True)
    )
