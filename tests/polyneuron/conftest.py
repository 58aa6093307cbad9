import importlib
import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
CHECKED: list[str] = []
if SHAPES := all(find_spec(name) for name in ("beartype", "jaxtyping")):
    import shape_checks

    # Before any test module imports a function from polyneuron, which does not load these itself.
    for module in ("polyneuron.show", "polyneuron.testing"):
        importlib.import_module(module)
    # A machine with a GPU may lack both packages; its kernels are tested all the same.
    CHECKED = shape_checks.install("polyneuron")

# The suite's tensors are tiny: a second thread only waits, and torch.compile's worker processes
# cost more than they compile.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="package")
def _shapes_are_checked() -> Iterator[None]:
    if SHAPES:
        shape_checks.enabled = True
    yield
    if SHAPES:
        shape_checks.enabled = False


@pytest.fixture(scope="package")
def shape_checked() -> list[str]:
    """Name the functions whose shapes are checked."""
    return CHECKED


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def float64() -> Iterator[None]:
    """Make float64 the dtype of new tensors and parameters."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="package")
def random_points() -> Callable[[int, int], tuple[Tensor, Tensor]]:
    """Make control points (A, s) in float64 with gaps of 0.2 to 1.2, in random order."""

    def make(functions: int, s: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(100 * functions + s)
        draws = torch.rand(3, functions, s, generator=generator, dtype=torch.float64)
        c_x = (draws[0] + 0.2).cumsum(1)
        c_x = c_x - c_x.mean(1, keepdim=True)
        return c_x.gather(1, draws[1].argsort(1)), 4 * draws[2] - 2

    return make
