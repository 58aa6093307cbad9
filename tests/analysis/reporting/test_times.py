"""The report on a timing sweep: seconds an epoch, and no errors."""

import numpy as np
import pytest
from synthetic_store import SyntheticSweep, configuration

import analysis


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return the report as Markdown and its folder, of three activations; one always diverges."""
    root, out = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("out")
    sweep = SyntheticSweep("clock", purpose="timing", seeds=3)
    rng = np.random.default_rng(0)
    trial = 0
    for seed in range(3):
        for activation, seconds in (("polyneuron", 2.0), ("relu", 1.0), ("apl", None)):
            ended = {"status": "completed", "epoch_seconds": seconds}
            if seconds is None:
                ended = {"status": "diverged"}
            curve = np.full(4, 47.11 + rng.normal(0, 0.01))
            sweep.add_run(configuration(activation=activation), seed, curve, trial=trial, **ended)
            trial += 1
    sweep.add_trials([])
    for row in sweep.rows["trials"][:2]:
        row["other_load"] = 0.5
    sweep.write(root)
    analysis.report(analysis.load(root), out, ("md",))
    return (out / "report.md").read_text(), out


def test_the_fastest_comes_first_and_what_has_no_time_last(pages):
    text, _ = pages
    lines = [line for line in text.splitlines() if line.startswith("| ") and " of 3 |" in line]
    assert [line.split("|")[1].strip() for line in lines] == ["ReLU", "PolyNeuron", "APL"]
    assert lines[0].split("|")[2].strip().startswith("1.00")
    assert lines[2].split("|")[2:5] == [" – ", " 0 of 3 ", " 3 "]


def test_load_beside_a_time_is_said(pages):
    text, _ = pages
    assert "Beside 2 repetitions other processes used over 10% of a core" in text


def test_no_error_of_it_is_drawn_or_printed(pages):
    text, out = pages
    assert "47.1" not in text
    drawn = {path.stem for path in (out / "figures").glob("clock*")}
    assert drawn == {"clock-seconds"}
    assert not list((out / "figures").glob("cost*"))
