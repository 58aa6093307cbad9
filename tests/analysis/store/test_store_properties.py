"""How a store is cut into files says nothing: no verdict hangs on it. Lost runs do."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planted_errors import FIVE
from synthetic_store import SyntheticSweep, configuration, write_part

import analysis
from analysis.store.schema import TABLES

BEST = "relaxed_best_on_lenet5"
SLOW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def campaign() -> SyntheticSweep:
    """Table 1 on LeNet-5, PolyNeuron-R clearly best, one run of ReLU diverged."""
    sweep = SyntheticSweep("table1_lenet5")
    rng = np.random.default_rng(0)
    for activation in FIVE:
        for seed in range(5):
            end = 1.5 + 0.5 * (activation != "polyneuron_r") + rng.normal(0, 0.05)
            failed = activation == "relu" and seed == 4
            errors = np.array([90.0]) if failed else np.linspace(9, end, 30)
            status = "diverged" if failed else "completed"
            sweep.add_run(configuration(activation=activation), seed, errors, status=status)
    sweep.add_trials(["activation"])
    return sweep


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> analysis.Results:
    root = tmp_path_factory.mktemp("whole")
    campaign().write(root)
    return analysis.load(root)


@pytest.fixture(scope="module")
def judged(whole: analysis.Results) -> pd.DataFrame:
    frame = analysis.verdicts(whole)
    assert "supported" in set(frame["verdict"]), "or no change could be seen"
    return frame


def scatter(root: Path, rows: list[dict[str, Any]], table: str, cuts: Any, rng: Any) -> None:
    """Write rows shuffled and cut anywhere, some parts twice, under names in any order."""
    rows = [rows[i] for i in rng.permutation(len(rows))]
    edges = sorted({0, len(rows), *(int(cut * len(rows)) for cut in cuts)})
    parts = [rows[a:b] for a, b in itertools.pairwise(edges)]
    parts += [parts[i] for i in rng.integers(0, len(parts), 2)] if parts else []
    names = rng.permutation(len(parts))
    for number, part in zip(names.tolist(), parts, strict=True):
        write_part(root, "table1_lenet5", table, part, number)


@SLOW
@given(st.lists(st.floats(0, 1), max_size=5), st.integers(0, 2**32))
def test_shuffled_split_and_repeated_parts_are_the_same_store(
    whole, judged, tmp_path_factory, cuts: list[float], seed: int
) -> None:
    root, rng = tmp_path_factory.mktemp("cut"), np.random.default_rng(seed)
    for table, rows in campaign().rows.items():
        scatter(root, rows, table, cuts, rng)
    cut = analysis.load(root)
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(cut, table), getattr(whole, table))
    pd.testing.assert_frame_equal(analysis.verdicts(cut), judged)


@SLOW
@given(st.sampled_from(FIVE), st.integers(5, 99), st.floats(0, 100), st.integers(1, 29))
def test_a_pruned_run_more_changes_no_verdict(
    judged, tmp_path_factory, activation: str, seed: int, error: float, epochs: int
) -> None:
    sweep, root = campaign(), tmp_path_factory.mktemp("pruned")
    config = configuration(activation=activation)
    sweep.add_run(config, seed, np.full(epochs, error), status="pruned")
    sweep.write(root)
    after = analysis.verdicts(analysis.load(root))
    shown = ["claim", "verdict", "estimate", "low", "high"]
    pd.testing.assert_frame_equal(after[shown], judged[shown])


def test_dropping_failed_runs_takes_the_verdict_away(judged, tmp_path: Path) -> None:
    sweep = campaign()
    sweep.rows["runs"] = [row for row in sweep.rows["runs"] if row["status"] != "diverged"]
    sweep.write(tmp_path)
    after = analysis.verdicts(analysis.load(tmp_path)).set_index("claim").loc[BEST]
    assert judged.set_index("claim").loc[BEST, "verdict"] == "supported"
    assert after["verdict"] == "not tested"
    assert "4 of 5 runs are in the store" in after["reason"]
