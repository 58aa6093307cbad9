"""The front of a sweep's trials, on means over seeds."""

from pathlib import Path

import numpy as np
import pytest
import weighed_sweep

import analysis
from analysis.measures.front import objectives_table

ALSO = {"cost": "min", "speed": "max"}
TRIALS = [
    [(1.0, {"cost": 9.0, "speed": 1.0}), (3.0, {"cost": 11.0, "speed": 1.0})],  # the best score
    [(4.0, {"cost": 5.0, "speed": 1.0}), (4.0, {"cost": 5.0, "speed": 1.0})],  # the cheapest
    [(4.0, {"cost": 6.0, "speed": 1.0}), (5.0, {"cost": 6.0, "speed": 1.0})],  # beaten by trial 1
    [(8.0, {"cost": 20.0, "speed": 2.0}), (8.0, {"cost": 20.0, "speed": 2.0})],  # the fastest
    [(0.0, {"speed": 9.0}), (0.0, {"speed": 9.0})],  # the best, were its cost known
    [(4.0, {"cost": 5.0, "speed": 1.0}), (4.0, {"cost": 5.0, "speed": 1.0})],  # equal to trial 1
]


def test_the_front_is_of_means_in_the_direction_of_each_objective(tmp_path: Path) -> None:
    found = analysis.pareto_front(weighed_sweep.store(tmp_path, TRIALS, ALSO))
    assert found["trial"].tolist() == [0, 1, 5, 3], "best score first; 4 has no cost"
    assert found["score"].tolist() == [2.0, 4.0, 4.0, 8.0]
    assert found["cost"].tolist() == [10.0, 5.0, 5.0, 20.0]
    errors = found[["score_standard_error", "cost_standard_error"]].to_numpy()
    nan = [np.nan, np.nan]
    assert errors == pytest.approx(np.array([[1, 1], nan, nan, nan]), nan_ok=True), (
        "none without scatter"
    )
    assert found["n"].tolist() == [2, 2, 2, 2]
    assert found["size"].tolist() == [0, 1, 5, 3], "parameters have their columns"


def test_one_seed_has_no_standard_error_and_the_time_of_an_epoch_is_a_column(
    tmp_path: Path,
) -> None:
    alone = [trial[:1] for trial in TRIALS]
    table = objectives_table(
        weighed_sweep.store(tmp_path, alone, {"epoch_seconds": "min"}), "weighed"
    )
    assert table["trial"].tolist() == [4, 0, 1, 2, 5, 3]
    assert table["epoch_seconds"].tolist() == [5.0, 1.0, 2.0, 3.0, 6.0, 4.0]
    assert table["on_front"].tolist() == [True, True, False, False, False, False]
    assert table["score_standard_error"].isna().all()


def test_a_parameter_that_is_called_like_an_objective_keeps_apart(tmp_path: Path) -> None:
    trials = [[(1.0, {"size": 7.0})], [(2.0, {"size": 3.0})]]
    found = analysis.pareto_front(weighed_sweep.store(tmp_path, trials, {"size": "min"}), "weighed")
    assert found["size"].tolist() == [7.0, 3.0]
    assert found["config.size"].tolist() == [0, 1]


def test_a_sweep_of_one_objective_has_no_front(tmp_path: Path) -> None:
    results = weighed_sweep.store(tmp_path, TRIALS, ALSO, also_json=None)
    with pytest.raises(ValueError, match=r"expected one sweep of several objectives .*: there is"):
        analysis.pareto_front(results)
    with pytest.raises(ValueError, match="weighed: no sweep of several objectives"):
        analysis.pareto_front(results, "weighed")


def test_a_sweep_without_a_completed_trial_has_an_empty_front(tmp_path: Path) -> None:
    results = weighed_sweep.store(tmp_path, TRIALS[4:5], ALSO)
    assert analysis.pareto_front(results).empty
