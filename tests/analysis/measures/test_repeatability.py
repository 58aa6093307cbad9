"""A run that was trained twice shows whether training repeats itself."""

import numpy as np
import pytest
from synthetic_store import SyntheticSweep, configuration
from worlds import MemoryResults

from analysis.measures.repeatability import repeated
from analysis.reporting.sections import document_of

TWICE = "of 2 runs trained more than once, 1 gave the same error to the last digit"


def two_sweeps(**columns):
    first, second = SyntheticSweep("first"), SyntheticSweep("second")
    for seed, (one, other) in enumerate([(2.0, 2.0), (2.0, 2.25)]):
        first.add_run(configuration(), seed, np.array([one]), history=False)
        second.add_run(configuration(), seed, np.array([other]), history=False)
    for row in second.rows["runs"]:
        row |= columns
    return MemoryResults([first, second])


def test_equal_and_different_errors_of_one_training_are_told_apart():
    found = repeated(two_sweeps().runs)
    assert found[["seed", "times", "spread"]].to_numpy().tolist() == [[0, 2, 0.0], [1, 2, 0.25]]


@pytest.mark.parametrize(
    "columns",
    [
        {"reused_from": "first"},
        {"code_version": "other"},
        {"data_sha256": "e" * 64},
        {"status": "diverged"},
    ],
    ids=str,
)
def test_another_training_or_a_copy_repeats_nothing(columns):
    assert repeated(two_sweeps(**columns).runs).empty


def test_the_report_says_so():
    sections = {section.name: section for section in document_of(two_sweeps()).sections}
    texts = [getattr(block, "text", "") for block in sections["methods"].blocks]
    (said,) = (text for text in texts if text.startswith("Repeatability"))
    assert TWICE in said
    assert "1 differed by up to 0.25 points" in said
