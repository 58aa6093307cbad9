"""A sweep of a training function with several objectives, with planted values of its runs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import analysis
from analysis.store.folder_store import open_store
from analysis.store.schema import RUNS, SWEEPS, TRIALS

NOW = datetime(2026, 1, 5, tzinfo=UTC)

Values = Sequence[tuple[float, dict[str, float]]]
"""Of each seed: the metric, and what else the run reported."""


def store(
    root: Path, trials: Sequence[Values], also: dict[str, str], **columns: Any
) -> analysis.Results:
    """Write a sweep named `weighed` whose trials have a parameter `size`, their place."""
    sweep = {
        "sweep": "weighed",
        "benchmark": "mine:train",
        "trainer": "mine:train",
        "purpose": "exploratory",
        "search": "tpe",
        "early_stopping": "none",
        "metric": "score",
        "direction": "min",
        "also_json": json.dumps(also),
        "trials_planned": len(trials),
        "seeds": len(trials[0]),
        "spec_json": "{}",
        "created_at": NOW,
        **columns,
    }
    trial_rows, run_rows = [], []
    for number, values in enumerate(trials):
        key = {"sweep": "weighed", "trial": number, "config_id": f"{number:016d}"}
        whole = all(set(one) >= set(also) - {"epoch_seconds"} for _, one in values)
        trial_rows.append(
            {
                **key,
                "params_json": json.dumps({"size": number}),
                "status": "completed" if whole else "error",
                "objective": sum(value for value, _ in values) / len(values) if whole else None,
            }
        )
        for seed, (value, further) in enumerate(values):
            run_rows.append(
                {
                    **key,
                    "run_id": f"{number:016d}-s{seed}",
                    "seed": seed,
                    "benchmark": "mine:train",
                    "status": "completed",
                    "metric_value": value,
                    "also_json": json.dumps(further),
                    "epoch_seconds": 1.0 + number,
                    "code_version": "1",
                    "epochs_done": 1,
                    "started_at": NOW,
                    "ended_at": NOW,
                }
            )
    writer = open_store(root / "weighed", None).writer("driver")
    writer.write_all([(SWEEPS, [sweep]), (TRIALS, trial_rows), (RUNS, run_rows)])
    return analysis.load(root)
