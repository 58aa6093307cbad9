"""The way from an operator to a Triton kernel, walked on the CPU, where Triton is interpreted."""

import pytest
import torch

from polyneuron.kernels import compiler, cuda
from polyneuron.kernels.compiler import KernelWarning
from polyneuron.kernels.functions import (
    APL,
    BLENDING,
    ENSEMBLE,
    HERMITE,
    NATURAL,
    PADE,
    PRELU,
    SRELU,
    SWISH,
    Function,
    radial,
)

pytest.importorskip("triton")

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
FUNCTIONS = [
    *((radial(2), 3), (radial(3), 3), (HERMITE, 4), (NATURAL, 5), (SWISH, 1), (APL, 2)),
    *((PRELU, 1), (SRELU, 4), (PADE, 6), (BLENDING, 5), (ENSEMBLE, 4)),
]


@pytest.fixture(autouse=True)
def _forget() -> None:
    cuda._verified.cache_clear()
    compiler.warn_of_plain_formulas.cache_clear()


@pytest.mark.parametrize(("function", "columns"), FUNCTIONS, ids=lambda value: str(value)[:24])
def test_a_kernel_agrees_with_its_formula(function: Function, columns: int) -> None:
    assert cuda._verified(function, columns, torch.float32, DEVICE)


def test_one_that_disagrees_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = cuda._kernels()
    forward = kernels.swish_forward
    monkeypatch.setattr(kernels, "swish_forward", lambda x, beta: forward(x, beta) + 0.1)
    with pytest.warns(KernelWarning, match="Triton kernel of swish disagrees with its formula"):
        assert not cuda._verified(SWISH, 1, torch.float32, DEVICE)


def test_one_that_does_not_compile_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("PTX codegen error\nand much more")

    monkeypatch.setattr(cuda._kernels(), "swish_forward", broken)
    with pytest.warns(KernelWarning, match="several times slower: Triton: PTX codegen error$"):
        assert not cuda._verified(SWISH, 1, torch.float32, DEVICE)


def test_the_cpu_and_doubles_have_no_triton_kernel() -> None:
    beta = torch.ones(1)
    assert not cuda.available(SWISH, torch.zeros(3), [beta])
    assert not cuda.available(SWISH, torch.zeros(3, dtype=torch.float64), [beta])
