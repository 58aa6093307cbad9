import numpy as np
import pandas as pd
import pytest
from synthetic_store import SyntheticSweep, configuration, learning_curve

import analysis
from analysis.measures.values import independent


@pytest.fixture
def mixed(tmp_path):
    """Two completed runs, then one of each way to have no final error."""
    sweep = SyntheticSweep("mixed")
    falling = np.linspace(10, 2, 30)
    config = configuration()
    sweep.add_run(config, 0, falling)
    sweep.add_run(config, 1, np.append(falling[:-1], 2.5))
    for seed, status in enumerate(("pruned", "diverged", "error", "interrupted", "running"), 2):
        sweep.add_run(config, seed, falling[:12], status=status)
    sweep.write(tmp_path)
    return analysis.load(tmp_path)


def test_only_completed_runs_have_a_final_value_and_none_is_dropped(mixed):
    frame = analysis.values(mixed).set_index("status")
    assert len(frame) == 7
    assert frame.loc["completed", "value"].tolist() == [2.0, 2.5]
    assert frame["value"].notna().sum() == 2
    assert frame["outcome"].drop("completed").to_dict() == {
        "pruned": "censored",
        "diverged": "diverged",
        "error": "missing",
        "interrupted": "censored",
        "running": "censored",
    }


def test_at_an_epoch_every_run_that_got_there_counts(mixed):
    at_12 = analysis.values(mixed, at=12)
    assert (at_12["outcome"] == "measured").all()
    np.testing.assert_allclose(at_12["value"], np.linspace(10, 2, 30)[11])
    at_13 = analysis.values(mixed, at=13)
    assert (at_13["outcome"] == "measured").sum() == 2
    assert (at_13["value"].notna() == (at_13["outcome"] == "measured")).all()


def test_best_is_the_smallest_epoch_of_completed_runs(mixed):
    best = analysis.values(mixed, at="best")
    runs = mixed.runs
    done = runs["status"] == "completed"
    np.testing.assert_array_equal(best["value"][done], runs["best_val_error_percent"][done])
    assert best["value"][~done].isna().all()


def test_pre_drop_is_the_mean_of_the_last_five_epochs_at_the_first_rate(mixed):
    frame = analysis.values(mixed, at="pre_drop")
    expected = np.linspace(10, 2, 30)[15:20].mean()
    np.testing.assert_allclose(frame["value"][:2], expected)
    assert frame["value"][2:].isna().all(), "stopped before the drop"


def test_last_of_any_epoch_metric_is_the_last_planned_epoch(mixed):
    frame = analysis.values(mixed, "val_loss")
    np.testing.assert_allclose(frame["value"][:2], [2.0 / 30, 2.5 / 30])
    assert frame["value"][2:].isna().all()


def test_metrics_of_a_run_need_no_epochs(mixed):
    frame = analysis.values(mixed, "epoch_seconds")
    assert frame["value"][:2].tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match="images_per_second is one number a run"):
        analysis.values(mixed, "images_per_second", at=3)


def test_a_completed_run_without_history_is_missing(tmp_path):
    sweep = SyntheticSweep("lost")
    sweep.add_run(configuration(), 0, np.linspace(10, 2, 30), history=False)
    sweep.add_run(configuration(), 1, np.linspace(10, 2, 30))
    sweep.write(tmp_path)
    frame = analysis.values(analysis.load(tmp_path), "val_loss")
    assert frame["outcome"].tolist() == ["missing", "measured"]


def test_bad_requests_are_one_line(mixed, tmp_path):
    with pytest.raises(ValueError, match="did you mean 'val_error_percent'"):
        analysis.values(mixed, "val_error")
    with pytest.raises(ValueError, match="epoch from 1, not 'final'"):
        analysis.values(mixed, at="final")
    SyntheticSweep("empty").write(tmp_path / "empty")
    with pytest.raises(ValueError, match="no runs yet in"):
        analysis.values(analysis.load(tmp_path / "empty"))


def test_a_rate_that_never_falls_has_no_pre_drop(tmp_path):
    sweep = SyntheticSweep("flat")
    sweep.add_run(configuration(drop_at=[]), 0, np.linspace(10, 2, 30))
    sweep.write(tmp_path)
    with pytest.raises(ValueError, match="falls in no run"):
        analysis.values(analysis.load(tmp_path), at="pre_drop")


def test_a_run_in_two_sweeps_counts_once(tmp_path):
    rng = np.random.default_rng(0)
    curve = learning_curve(2, 30, rng)
    for name, status in (("a", "interrupted"), ("b", "completed")):
        sweep = SyntheticSweep(name)
        sweep.add_run(configuration(), 0, curve if name == "b" else curve[:3], status=status)
        sweep.write(tmp_path)
    frame = analysis.values(analysis.load(tmp_path))
    assert len(frame) == 2
    once = independent(frame)
    assert once["sweep"].tolist() == ["b"], "the attempt that has a value"
    assert isinstance(once, pd.DataFrame)
