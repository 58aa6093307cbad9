"""A store of schema version 1, written by the real engine and kept as it was.

PolyNeuron on LeNet-5 and digits at two learning rates: one trial completed its two seeds, the
other diverged in its first.
"""

from pathlib import Path

import analysis

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
