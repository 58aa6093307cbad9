"""Compile the Triton kernels for an H100, through Triton's own launch path, on any machine.

    python tests/polyneuron/kernels/compile_gpu_kernels.py [--verbose]

--verbose prints registers, bytes spilt and memory instructions of every kernel, for a wider set.
"""

import argparse
import itertools
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget

from polyneuron.kernels.backend import BatchNorm, Normalised
from polyneuron.kernels.function import Function
from polyneuron.kernels.functions import FUNCTIONS
from polyneuron.kernels.gpu import backend, launching, norm, passes
from polyneuron.kernels.hermite.formula import HERMITE
from polyneuron.kernels.natural import solving
from polyneuron.kernels.radial.formula import radial

CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"


class AbsentH100:
    """The little of Triton's driver that compilation asks."""

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return device


def activations(verbose: bool) -> Iterator[tuple[Function, int, int, Tensor]]:
    """Function, A, s and input."""
    image = torch.rand(128, 16, 32, 32)
    last = image.to(memory_format=torch.channels_last)
    half = last.bfloat16()
    yield from ((radial(3), 1, 3, image), (radial(4), 16, 2, half))
    inputs = itertools.cycle([(16, image.half()), (16, last), (1, image), (1, half), (16, image)])
    others = {family: f for family, f in FUNCTIONS.items() if family not in ("radial", "relu")}
    for (family, function), (A, x) in zip(others.items(), inputs, strict=False):
        yield (function, A, 6 if family == "pade" else 3, x)
    if verbose:
        for s in (3, 5, 9):
            for k in (1, 2, 3):
                for x in (image, last, image.bfloat16()):
                    yield from ((radial(k), 1, s, x), (radial(k), 16, s, x))
            yield from ((HERMITE, 1, s, image), (HERMITE, 16, s, last))
        yield from ((HERMITE, 1, 21, image), (HERMITE, 16, 21, last))
        for x, A in ((image, 1), (last, 16), (half, 1)):
            for name, s in (("apl", 5), ("srelu", 4), ("pade", 6), ("blending", 5)):
                yield (FUNCTIONS[name], A, s, x)


def rows(function: Function, A: int, s: int) -> list[Tensor]:
    """Parameters of A functions."""
    return [row.repeat(A, *[1] * (row.ndim - 1)) for row in function.example(s)]


def compile_all(verbose: bool) -> int:
    compiled = 0

    def compile_one(kernel: Any, grid: tuple[int, ...], **arguments: object) -> None:
        nonlocal compiled
        binary = kernel.warmup(
            grid=grid, **arguments, num_warps=launching.WARPS, enable_fp_fusion=True
        )
        compiled += 1
        if verbose:
            print(f"    {kernel.fn.__name__:22} grid {grid!s:12} {resources(binary)}")

    passes.launch = norm.launch = solving.launch = compile_one
    for function, A, s, x in activations(verbose):
        print(function.name, f"A={A} s={s}", x.dtype, x.stride())
        parameters = rows(function, A, s)
        backend.forward(function, x, parameters)
        backend.backward(function, x, x, parameters)
    print("radial, rows of their own order")
    x, parameters = torch.rand(128, 6, 28, 28), rows(radial(4), 6, 3)
    orders, present = torch.ones(6), torch.ones(6, 3)
    backend.forward(radial(4), x, parameters, orders)
    backend.backward(radial(4), x, x, parameters, orders, present)
    print("norm with residual, then without")
    z, row = torch.rand(128, 16, 32, 32), torch.rand(16)
    of = BatchNorm(row, row, (row, row), momentum=0.1, eps=1e-5, training=True)
    for residual, function in ((z, radial(3)), (None, FUNCTIONS["relu"])):
        parameters = rows(function, 1, 3)
        behind = Normalised(function, z, residual, of, parameters)
        norm.norm_forward(behind)
        norm.norm_backward(behind, z, torch.stack([row, row]))
    print("natural spline")
    row = torch.rand(688, 3)
    solving.solve_backward(solving.solve(row, row), row, row, row)
    return compiled


def resources(binary: Any) -> str:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary.asm["cubin"])
        file.flush()
        usage = subprocess.run(
            [CUOBJDUMP, "-res-usage", file.name], capture_output=True, text=True, check=True
        ).stdout
    used = re.findall(r"(?:REG|STACK):\d+", usage)
    memory = sorted(set(re.findall(r"(?:ld|st)[.]global[.]\S*", binary.asm["ptx"])))
    return " ".join([*used, *memory])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verbose", action="store_true")
    triton.runtime.driver.set_active(AbsentH100())
    print(compile_all(parser.parse_args().verbose), "kernels compiled for sm_90")
