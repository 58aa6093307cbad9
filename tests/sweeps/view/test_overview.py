"""The table of a sweep's trials."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from analysis.store.schema import SWEEPS, TRIALS
from sweeps.store.paths import SweepPaths
from sweeps.view.overview import trials_summary


def shown(root: Path, drawn: Sequence[dict[str, object]], width: int) -> str:
    """Write a sweep with a completed trial for each set of parameters, and show its table."""
    paths = SweepPaths(root, "small")
    paths.create()
    writer = paths.store.writer("driver")
    writer.write(SWEEPS, [{"sweep": "small", "trials_planned": len(drawn)}])
    for number, params in enumerate(drawn):
        row = {"sweep": "small", "trial": number, "status": "completed", "objective": 2.0}
        writer.write(TRIALS, [{**row, "params_json": json.dumps(params)}])
    console = Console(width=width, record=True)
    with console.capture() as captured:
        console.print(trials_summary(root, "small", width))
    table, _, _ = captured.get().partition("best:")
    return table


@pytest.mark.parametrize("width", [50, 120])
def test_a_parameter_that_is_the_same_in_every_trial_is_left_out(
    tmp_path: Path, width: int
) -> None:
    drawn = [{"epochs": 77, "rate": 0.1}, {"epochs": 77, "rate": 0.2, "momentum": 0.5}]
    table = shown(tmp_path, drawn, width)
    assert "77" not in table
    for told in ("0.1", "0.2", "0.5"):
        assert told in table


def test_one_trial_alone_keeps_its_parameters(tmp_path: Path) -> None:
    assert "77" in shown(tmp_path, [{"epochs_wanted": 77}], 120)
