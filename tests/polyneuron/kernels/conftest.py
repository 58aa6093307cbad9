"""Tiny tiles and poisoned memory for the tests of the Triton kernels."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def _tiny_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut tiles to a few elements, so that tiny tensors take several tiles of several programs."""
    from polyneuron.kernels.gpu import layout

    monkeypatch.setattr(layout, "THREADS", 16)
    monkeypatch.setattr(layout, "PROGRAMS", 4)


@pytest.fixture
def _poisoned() -> Iterator[None]:
    """Fill new memory with NaN, so that an element shows that a kernel forgets to write."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.empty(2).new_empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(before)
