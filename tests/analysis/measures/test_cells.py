"""Contrasts of cells, and which deviation they have."""

import numpy as np

from analysis.measures.cells import Cell, Family
from analysis.statistics.intervals import contrast


def test_cells_that_are_not_compared_lend_no_deviation():
    """Quiet cells beside two loud ones would make the loud ones' difference look certain."""
    rng = np.random.default_rng(0)
    loud = {(name,): Cell(rng.normal(0, 2, 5)) for name in "ab"}
    quiet = {(name,): Cell(rng.normal(0, 1, 5)) for name in "cdefgh"}
    weights = {("a",): 1.0, ("b",): -1.0}
    alone = contrast([cell.sample for cell in loud.values()], [1, -1])
    assert Family(loud | quiet).contrast(weights) == alone


def test_a_plainly_louder_cell_of_a_contrast_keeps_its_own_deviation():
    rng = np.random.default_rng(1)
    cells = {("a",): Cell(rng.normal(0, 0.1, 12)), ("b",): Cell(rng.normal(0, 5, 12))}
    family = Family(cells)
    assert not family.pooled(cells)
    assert family.contrast({("a",): 1.0, ("b",): -1.0}).freedom < 13
