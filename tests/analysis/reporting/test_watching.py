import numpy as np
import pytest
from synthetic_store import SyntheticSweep, configuration, write_part

import analysis
from analysis.reporting.watching import watch


def sweep_of(statuses) -> SyntheticSweep:
    sweep = SyntheticSweep("young", purpose="exploratory", seeds=1)
    sweep.rows["sweeps"][0]["trials_planned"] = len(statuses)
    for trial, status in enumerate(statuses):
        config = configuration(learning_rate=10.0 ** -(trial + 2))
        epochs = 30 if status == "completed" else 3
        sweep.add_run(config, 0, np.linspace(9, 2, epochs), status=status, trial=trial)
    sweep.add_trials(["learning_rate"])
    return sweep


def test_the_report_is_written_anew_until_every_trial_has_its_end(tmp_path):
    sweep_of(["completed", "running"]).write(tmp_path)
    sleeps = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 2:  # nothing had changed after the first one
            for table, rows in sweep_of(["completed", "diverged"]).rows.items():
                if rows:
                    write_part(tmp_path, "young", table, rows, number=1)

    out = tmp_path / "out"
    pages = [
        (out / "report.html").read_text()
        for _ in watch(tmp_path, ["young"], out, ("html",), 5.0, sleep)
    ]
    assert sleeps == [5.0, 5.0]
    assert len(pages) == 2
    assert '<meta http-equiv="refresh" content="5">' in pages[0]
    assert "refresh" not in pages[1], "there is no more to come"
    assert "✕ diverged" in pages[1]


def test_a_missing_sweep_is_one_line(tmp_path):
    sweep_of(["completed"]).write(tmp_path)
    with pytest.raises(analysis.StoreError, match="did you mean 'young'"):
        next(watch(tmp_path, ["yuong"], tmp_path / "out"))
