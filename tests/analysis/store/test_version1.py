"""A store of schema version 1, written by the real engine and kept as it was.

PolyNeuron on LeNet-5 and digits at two learning rates: one trial completed its two seeds, the
other diverged in its first.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from synthetic_store import SyntheticSweep, configuration

import analysis
from analysis.store.folder_store import open_store
from analysis.store.identities import IDENTITY_VERSION

STORES = Path(__file__).with_name("stores")


def test_it_reads_as_it_was_written():
    results = analysis.load(STORES)
    assert results.names == ("version1",)
    runs = results.runs.set_index(["learning_rate", "seed"])
    assert runs["status"].to_dict() == {
        (1e-3, 0): "completed",
        (1e-3, 1): "completed",
        (1e4, 0): "diverged",
    }
    assert runs.loc[(1e4, 0), "stop_reason"].endswith("its output is not finite")
    assert results.epochs.groupby("run_id", observed=True)["epoch"].max().tolist() == [2, 2]
    assert results.damaged == ()


def test_its_time_of_training_has_the_validation_in_it_and_is_not_compared():
    results = analysis.load(STORES)
    assert results.runs["train_seconds"].notna().all()
    assert results.runs["evaluation_seconds"].isna().all()
    assert set(analysis.values(results, "train_seconds")["outcome"]) == {"missing", "diverged"}
    assert "measured" in set(analysis.values(results, "epoch_seconds")["outcome"])


def test_its_functions_start_at_the_papers_control_points():
    start = analysis.load(STORES).snapshots.query("epoch == 0")
    assert sorted(start["c_x"].unique()) == [-1.0, 0.0, 1.0]
    assert start.loc[start["point"] == 2, "c_y"].round(6).unique().tolist() == [1.0]


def test_values_and_the_report_count_the_diverged_run(tmp_path):
    results = analysis.load(STORES)
    assert analysis.values(results)["outcome"].tolist() == ["measured", "measured", "diverged"]
    analysis.report(results, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "LeNet-5 on digits" in text
    assert "✕ diverged" in text


def test_runs_and_trials_have_todays_identity_and_keep_their_keys():
    results = analysis.load(STORES)
    runs = results.runs
    written = {name.split("-")[0] for name in runs["run_id"]}
    assert not written & set(runs["config_id"])
    assert set(results.trials["config_id"]) == set(runs["config_id"])
    assert runs["identity_version"].unique().tolist() == [IDENTITY_VERSION]
    for row in runs.itertuples():
        assert "residual" not in json.loads(row.config_json)["network"]
        assert json.loads(row.config_json)["recipe"]["drop_at"] == [1]
        stored = open_store(STORES / "version1").row_of_run(row.run_id)
        assert stored["config_id"] == row.config_id


def test_columns_may_be_read_alone():
    results = analysis.load(STORES)
    alone = results.table("trials", ["config_id"])
    assert list(alone) == ["sweep", "trial", "config_id"]
    assert alone["config_id"].tolist() == results.trials["config_id"].tolist()
    assert results.table("runs", ["config_id"])["config_id"].nunique() == 2


def test_two_old_configurations_of_one_training_are_two_rows_of_one_identity(tmp_path):
    """ReLU with two strengths of a penalty that it has not."""
    sweep = SyntheticSweep("old", seeds=1)
    for strength in (0.01, 0.1):
        config = configuration(activation="relu", lambda_sum=strength)
        sweep.add_run(config, 0, np.array([5.0, 4.0]), trial=int(strength * 10))
        text = json.dumps(config, sort_keys=True)
        config_id = hashlib.sha256(text.encode()).hexdigest()[:16]
        old = {"config_id": config_id, "config_json": text, "identity_version": None}
        sweep.rows["runs"][-1] |= {**old, "run_id": f"{config_id}-s0"}
    sweep.rows["epochs"].clear()
    sweep.add_trials([])
    for row in sweep.rows["trials"]:
        row["identity_version"] = None
    sweep.write(tmp_path)
    results = analysis.load(tmp_path)
    assert results.table("runs")["run_id"].nunique() == 2
    assert results.table("runs")["config_id"].nunique() == 1
    assert results.table("trials")["config_id"].nunique() == 1
