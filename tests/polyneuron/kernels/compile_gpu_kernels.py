"""Compile the Triton kernels for an H100, through Triton's own launch path, on any machine.

    python tests/polyneuron/kernels/compile_gpu_kernels.py [--verbose]

--verbose prints registers, bytes spilt and memory instructions of every kernel, for a wider set.
"""

import argparse
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

from polyneuron.kernels import gpu
from polyneuron.kernels.gpu import natural_spline, norm, passes

CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"


class AbsentH100:
    """The little of Triton's driver that compilation asks."""

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return device


def activations(verbose: bool) -> Iterator[tuple[str, int, int, int, Tensor]]:
    """Function, A, s, k and input."""
    image = torch.rand(128, 16, 32, 32)
    last = image.to(memory_format=torch.channels_last)
    yield from (("radial", 1, 3, 3, image), ("radial", 16, 2, 4, last.bfloat16()))
    yield from (("hermite", 16, 3, 0, image.half()), ("swish", 16, 0, 0, last))
    yield from (("apl", 1, 2, 0, image), ("prelu", 1, 0, 0, last.bfloat16()))
    yield from (("srelu", 16, 4, 0, image), ("pade", 1, 6, 0, image))
    yield from (("blending", 16, 5, 0, last), ("ensemble", 1, 4, 0, image))
    if verbose:
        for s in (3, 5, 9):
            for k in (1, 2, 3):
                for x in (image, last, image.bfloat16()):
                    yield from (("radial", 1, s, k, x), ("radial", 16, s, k, x))
            yield from (("hermite", 1, s, 0, image), ("hermite", 16, s, 0, last))
        yield from (("hermite", 1, 21, 0, image), ("hermite", 16, 21, 0, last))
        for x, A in ((image, 1), (last, 16), (last.bfloat16(), 1)):
            for name, s in (("apl", 5), ("srelu", 4), ("pade", 6), ("blending", 5)):
                yield (name, A, s, 0, x)


def rows(name: str, A: int, s: int) -> tuple[Tensor, ...]:
    row = torch.rand(A, s)
    return {
        "radial": (row, row.clone(), torch.rand(A, 2)),
        "hermite": (row, row.clone(), row.clone()),
        "swish": (torch.rand(A),),
        "apl": (row, row.clone()),
        "prelu": (torch.rand(A),),
        "srelu": (row,),
        "pade": (row, row[:, 2:].clone()),
        "blending": (row,),
        "ensemble": (row,),
    }[name]


def compile_all(verbose: bool) -> int:
    compiled = 0

    def compile_one(kernel: Any, grid: tuple[int, ...], **arguments: object) -> None:
        nonlocal compiled
        binary = kernel.warmup(
            grid=grid, **arguments, num_warps=passes.WARPS, enable_fp_fusion=True
        )
        compiled += 1
        if verbose:
            print(f"    {kernel.fn.__name__:22} grid {grid!s:12} {resources(binary)}")

    passes.launch = norm.launch = natural_spline.launch = compile_one
    for name, A, s, k, x in activations(verbose):
        print(name, f"A={A} s={s} k={k}", x.dtype, x.stride())
        parameters = rows(name, A, s)
        gpu.forward(x, name, parameters, k)
        gpu.backward(x, x, name, parameters, k)
    print("radial, rows of their own order")
    x, row = torch.rand(128, 6, 28, 28), torch.rand(6, 3)
    parameters = row, row, torch.rand(6, 2)
    gpu.forward(x, "radial", parameters, 4, torch.ones(6))
    gpu.backward(x, x, "radial", parameters, 4, torch.ones(6), row)
    print("norm with residual, then without")
    z, row = torch.rand(128, 16, 32, 32), torch.rand(16)
    for residual, name in ((z, "radial"), (None, "relu")):
        parameters = rows(name, 1, 3) if name == "radial" else ()
        f = (name, parameters, 3 if name == "radial" else 0)
        gpu.norm_forward(z, residual, row, row, row, row, 1e-5, 0.1, True, *f)
        gpu.norm_backward(z, z, residual, row, row, torch.stack([row, row]), True, *f)
    print("natural spline")
    row = torch.rand(688, 3)
    knots, heights, m, order = gpu.interpolate_forward(row, row)
    gpu.interpolate_backward(row, row, row, knots, heights, m, order)
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
