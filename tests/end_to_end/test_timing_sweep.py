"""A sweep of purpose `timing`, whole: real Ray, processes of their own, one trial at a time."""

from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

import analysis
from sweeps.driver.driver import run_sweep
from sweeps.driver.preparation import prepare
from sweeps.spec import sections
from sweeps.spec.reading import parse_spec


def test_each_repetition_is_a_trial_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Five, the least that a claim on time asks for, would take longer and show no more.
    monkeypatch.setattr(sections, "MIN_REPETITIONS", 3)
    spec = parse_spec(
        {
            "name": "timed",
            "purpose": "timing",
            "data": {"name": "digits", "train_images": 64},
            "recipe": {"epochs": 2},
            "activation": "polyneuron_r",
            "space": {"s": {"grid": [5]}},
            "search": "grid",
            "seeds": [7, 3, 8],
        }
    )
    with (tmp_path / "shown.txt").open("w") as shown:
        assert run_sweep(prepare(spec), tmp_path, Console(file=shown))
    results = analysis.load(tmp_path / "timed")
    trials = results.trials.sort_values("trial")
    assert list(trials["status"].astype(str)) == ["completed"] * 3
    # Each trial has started a process, and saw what else its machine did meanwhile.
    assert (trials["start_seconds"] > 0).all()
    assert (trials["other_load"] >= 0).all()
    runs = results.runs.set_index("trial").sort_index()
    assert list(runs["seed"]) == [7, 3, 8]
    assert (runs["epochs_done"] == 2).all()
    times = [*zip(runs["started_at"], runs["ended_at"], strict=True)]
    assert all(ended < started for (_, ended), (started, _) in pairwise(sorted(times)))
