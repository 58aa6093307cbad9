"""Every search algorithm keeps the contract that one of another package would have to keep."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.search.testing import CONTRACT
from sweeps.spec.algorithms import ALGORITHMS


@pytest.mark.parametrize("holds", CONTRACT, ids=lambda holds: holds.__name__)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_keeps_its_contract(
    holds: Callable[[str, Path], None], algorithm: str, tmp_path: Path
) -> None:
    holds(algorithm, tmp_path)
