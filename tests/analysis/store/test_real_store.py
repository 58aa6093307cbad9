"""The real engine's store in which all befell that can: see `make_real_store.py`."""

from pathlib import Path

import numpy as np
import pytest

import analysis

STORE = Path(__file__).with_name("real_store")


@pytest.fixture(scope="module")
def results() -> analysis.Results:
    return analysis.load(STORE)


def test_each_run_has_the_outcome_that_befell_it(results) -> None:
    runs = results.runs.set_index(["learning_rate", "seed"])
    assert runs["status"].to_dict() == {
        (3e-3, 0): "completed",
        (3e-3, 1): "completed",
        (1e-3, 0): "completed",
        (1e-3, 1): "completed",
        (1e6, 0): "diverged",
        (1e-6, 0): "pruned",
        (2e-3, 0): "error",
    }
    assert runs.loc[(1e-6, 0), "epochs_done"] == 2 < runs.loc[(1e-6, 0), "epochs_planned"]
    assert "above the median" in runs.loc[(1e-6, 0), "stop_reason"]
    assert "its output is not finite" in runs.loc[(1e6, 0), "stop_reason"]
    assert runs.loc[(2e-3, 0), "stop_reason"].startswith("FileExistsError")


def test_the_resumed_run_has_each_epoch_once(results) -> None:
    restored = results.events[results.events["kind"] == "restore"]
    (run,) = restored["run_id"]
    assert results.runs.set_index("run_id").loc[run, "status"] == "completed"
    history = results.epochs[results.epochs["run_id"] == run]
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert 1 <= restored["epoch"].iloc[0] < 4, "it went on in the middle"


def test_histories_and_rows_of_runs_agree(results) -> None:
    lengths = results.epochs["run_id"].value_counts()
    for _, run in results.runs.iterrows():
        assert lengths.get(run["run_id"], 0) == run["epochs_done"]
    last = results.epochs.groupby("run_id", observed=True)["val_error_percent"].last()
    ended = results.runs[results.runs["epochs_done"] > 0].set_index("run_id")
    np.testing.assert_array_equal(
        ended["last_val_error_percent"], last[ended.index.astype(str)].to_numpy()
    )


def test_only_completed_runs_have_a_value(results) -> None:
    frame = analysis.values(results).set_index("status")
    assert frame["outcome"].to_dict() == {
        "completed": "measured",
        "diverged": "diverged",
        "pruned": "censored",
        "error": "missing",
    }
    assert frame["value"].notna().sum() == 4
    at_2 = analysis.values(results, at=2).set_index("status")
    assert at_2.loc["pruned", "outcome"] == "measured", "it got that far"


def test_a_search_decides_no_claim(results) -> None:
    assert set(analysis.verdicts(results)["verdict"]) == {"not tested"}


def test_its_report_counts_what_did_not_complete(results, tmp_path: Path) -> None:
    analysis.report(results, tmp_path, formats=("md",))
    text = (tmp_path / "report.md").read_text("utf-8")
    for word in ("pruned", "diverged", "error"):
        assert word in text
